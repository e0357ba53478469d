package tracker

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
)

// activeFault is a fault in force, with what it has done.
type activeFault struct {
	Fault
	seen, hit atomic.Int64
}

// FaultCounts is a fault in its text form, with how many requests it matched and how many it hit.
type FaultCounts struct {
	Fault string `json:"fault"`
	Seen  int64  `json:"seen"`
	Hit   int64  `json:"hit"`
}

// faultSet is the faults in force. They can be replaced while requests run.
type faultSet struct {
	active atomic.Pointer[[]*activeFault]
	// tear begins what a copy that is killed leaves half done, and returns what completes it; nil: nothing.
	tear func() (mend func())
}

func newFaultSet(faults []Fault) *faultSet {
	set := &faultSet{}
	set.replace(faults)
	return set
}

// replace puts other faults in force; counts begin at zero.
func (set *faultSet) replace(faults []Fault) {
	active := make([]*activeFault, len(faults))
	for i, f := range faults {
		active[i] = &activeFault{Fault: f}
	}
	set.active.Store(&active)
}

func (set *faultSet) counts() []FaultCounts {
	counts := []FaultCounts{}
	for _, f := range *set.active.Load() {
		counts = append(counts, FaultCounts{f.String(), f.seen.Load(), f.hit.Load()})
	}
	return counts
}

// pick is the first fault that hits a request, or nil.
func (set *faultSet) pick(r *http.Request) *activeFault {
	for _, f := range *set.active.Load() {
		if f.matches(r) && f.draw() {
			return f
		}
	}
	return nil
}

func (f *activeFault) matches(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, f.Prefix) && (f.Method == "" || f.Method == r.Method)
}

func (f *activeFault) draw() bool {
	if f.seen.Add(1) <= f.After {
		return false
	}
	if f.Probability > 0 && f.Probability < 1 && rand.Float64() >= f.Probability {
		return false
	}
	if hit := f.hit.Add(1); f.Limit > 0 && hit > f.Limit {
		f.hit.Add(-1)
		return false
	}
	return true
}

func (set *faultSet) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := set.pick(r)
		if fault == nil {
			next.ServeHTTP(w, r)
			return
		}
		if fault.Kind == FaultMemory && set.tear != nil {
			defer set.tear()()
		}
		fault.serve(w, r, next)
	})
}
