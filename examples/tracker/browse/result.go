package browse

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// FailureKind is why a user would call an answer a failure.
type FailureKind string

// The kinds of failures.
const (
	// Transport is a connection that was refused, reset, closed, or silent for too long before an answer.
	Transport FailureKind = "transport"
	// Status is an answer with a status that says that the server failed, or that fits no such request.
	Status FailureKind = "status"
	// Truncated is an answer that ended before its end.
	Truncated FailureKind = "truncated"
	// Session is an answer for another user, or for nobody.
	Session FailureKind = "session"
	// Mixed is the answer to another request.
	Mixed FailureKind = "mixed"
	// Content is an answer that lacks what was written before, or has other bytes.
	Content FailureKind = "content"
)

// Counts is what happened in one activity.
type Counts struct {
	// Requests is how many got an answer or failed.
	Requests int64
	// Failures are those of Requests that a user would call failed.
	Failures map[FailureKind]int64
	// Builds says how many answers each build made; "" is whoever did not say.
	Builds map[string]int64
	// Switches is how often a user got an answer from another build than the time before in this activity.
	Switches int64
	// Latency is the time to the end of each answer that was no failure.
	Latency Latency
}

// Failed is the number of failures of all kinds.
func (c Counts) Failed() int64 {
	var sum int64
	for _, n := range c.Failures {
		sum += n
	}
	return sum
}

// SocketCounts is what happened to the WebSockets.
type SocketCounts struct {
	Opened int64
	Events int64
	// Ended by the other side with a proper close.
	Ended int64
	// Dropped without one.
	Dropped int64
}

// Failure is one failure, as an example.
type Failure struct {
	Time     time.Time
	Activity Activity
	User     string
	Request  string // method and path
	Kind     FailureKind
	Build    string
	What     string
}

// String is the failure in a line.
func (f Failure) String() string {
	return fmt.Sprintf("%s %s %s: %s (%s, build %q): %s",
		f.Time.Format("15:04:05.000"), f.User, f.Request, f.Kind, f.Activity, f.Build, f.What)
}

// Result is the sums of a load.
type Result struct {
	Elapsed    time.Duration
	Activities map[Activity]Counts
	Sockets    SocketCounts
	// Resent is how many requests the HTTP client sent again by itself on another connection, as
	// browsers do when a kept connection turns out to be closed: users do not see it.
	Resent int64
	// Examples are the first failures.
	Examples []Failure
}

// Total is the counts of all activities together.
func (r Result) Total() Counts {
	total := Counts{Failures: map[FailureKind]int64{}, Builds: map[string]int64{}}
	for _, c := range r.Activities {
		total.Requests += c.Requests
		total.Switches += c.Switches
		total.Latency.Merge(c.Latency)
		for kind, n := range c.Failures {
			total.Failures[kind] += n
		}
		for build, n := range c.Builds {
			total.Builds[build] += n
		}
	}
	return total
}

const (
	maxExamples = 20
	maxBuilds   = 16 // builds are named by the other side: do not let it grow this process
)

type recorder struct {
	mu    sync.Mutex
	begun time.Time
	sums  Result
}

func newRecorder() *recorder {
	return &recorder{begun: time.Now(), sums: Result{Activities: map[Activity]Counts{}}}
}

// outcome is one request as it is counted.
type outcome struct {
	activity Activity
	build    string
	answered bool // the build is known
	switched bool
	took     time.Duration
	resent   int64
	failure  *Failure
}

func (r *recorder) add(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, known := r.sums.Activities[o.activity]
	if !known {
		c.Failures, c.Builds = map[FailureKind]int64{}, map[string]int64{}
	}
	c.Requests++
	if _, known := c.Builds[o.build]; o.answered && (known || len(c.Builds) < maxBuilds) {
		c.Builds[o.build]++
	}
	if o.switched {
		c.Switches++
	}
	if o.failure == nil {
		c.Latency.add(o.took)
	} else {
		c.Failures[o.failure.Kind]++
		if len(r.sums.Examples) < maxExamples {
			r.sums.Examples = append(r.sums.Examples, *o.failure)
		}
	}
	r.sums.Resent += o.resent
	r.sums.Activities[o.activity] = c
}

func (r *recorder) socket(change func(*SocketCounts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.sums.Sockets)
}

func (r *recorder) read() Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	sums := r.sums
	sums.Elapsed = time.Since(r.begun)
	sums.Examples = slices.Clone(r.sums.Examples)
	sums.Activities = make(map[Activity]Counts, len(r.sums.Activities))
	for a, c := range r.sums.Activities {
		c.Failures, c.Builds = maps.Clone(c.Failures), maps.Clone(c.Builds)
		sums.Activities[a] = c
	}
	return sums
}
