package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress says now and then how far a long run is.
type progress struct {
	mu   sync.Mutex
	out  io.Writer
	name string
	what string
	of   int
	told time.Time
}

const progressEvery = 5 * time.Second

func newProgress(out io.Writer, name, what string, of int) *progress {
	return &progress{out: out, name: name, what: what, of: of, told: time.Now()}
}

// tell may be called from several goroutines at once.
func (p *progress) tell(done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.told) >= progressEvery {
		p.told = now
		fmt.Fprintf(p.out, "%s: %d of %d %s\n", p.name, done, p.of, p.what)
	}
}
