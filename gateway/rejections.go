package gateway

import (
	"maps"
	"sync"
)

// rejections counts the requests that the framing gate has ended, by reason: there are few, see framing.
type rejections struct {
	mu       sync.Mutex
	byReason map[string]uint64
}

func (r *rejections) add(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byReason == nil {
		r.byReason = map[string]uint64{}
	}
	r.byReason[reason]++
}

func (r *rejections) counts() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.byReason)
}
