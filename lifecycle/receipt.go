package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"yadokari/durable"
)

// Exit codes that say what a stop came to. They stand above those of sysexits(3) and below those that
// stand for signals, so that an app's own are rarely mistaken for them.
const (
	ExitFailed   = 1  // a phase failed or was cut short, but nothing is left and the app says nothing worse
	ExitLost     = 80 // something accepted was lost, or the sums do not add up
	ExitLeftOver = 81 // something accepted is left over, safe, where the receipt says
)

// Account says what one part took and what became of it, since it was started. What came in is always
// what went out and what is left over.
type Account struct {
	Part string `json:"part"`
	Unit string `json:"unit"` // what is counted, in the plural
	// In is what came in, by how: accepted, found on disk, and so on.
	In map[string]int64 `json:"in"`
	// Out is what became of it: delivered, bounced, and so on.
	Out map[string]int64 `json:"out"`
	// Refused is what never came in: whoever sent it was told to keep it.
	Refused int64 `json:"refused"`
	// Lost is how much of Out is lost: given up, nobody has it.
	Lost int64 `json:"lost"`
	// LeftOver is what is still here, and Where.
	LeftOver int64  `json:"leftOver"`
	Where    string `json:"where,omitempty"`
	// Detail is what else there is to say, in the part's own words.
	Detail any `json:"detail,omitempty"`
	// Faults are what went wrong.
	Faults []string `json:"faults,omitempty"`
}

// Check returns an error if the sum does not add up.
func (a *Account) Check() error {
	in, out := total(a.In), total(a.Out)
	if in != out+a.LeftOver {
		return fmt.Errorf("%s: %d %s came in, but %d went out and %d are left over", a.Part, in, a.Unit, out, a.LeftOver)
	}
	return nil
}

func total(counts map[string]int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// AppEnd says how the app ended, as far as is known.
type AppEnd struct {
	// Exit is how the process ended; nil: it was not ours to start.
	Exit *Exit `json:"exit,omitempty"`
	// Words is the same for people.
	Words string `json:"words"`
	// Evidence is how an app that is not ours is known to have finished; nil: it was ours.
	Evidence *Evidence `json:"evidence,omitempty"`
	// Mark is the marker that the app left, if it did; LateMark that it came after it was waited for.
	Mark     *Mark `json:"mark,omitempty"`
	LateMark bool  `json:"lateMark,omitempty"`
}

// Receipt says what a process accepted, what became of it, what is left over and where, and how it
// stopped. Seal completes it.
type Receipt struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"` // as in a log: INFO, WARN (left over) or ERROR (lost)
	Message string    `json:"msg"`   // receipt
	Host    string    `json:"host"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Reason  string    `json:"reason"` // why it stopped
	// Complete tells that nothing is left over or lost, all sums add up, and every phase was done.
	Complete bool      `json:"complete"`
	Exit     int       `json:"exit"` // the exit code of this process
	App      *AppEnd   `json:"app,omitempty"`
	Parts    []Account `json:"parts"`
	Phases   []Step    `json:"phases"`
	Seconds  float64   `json:"seconds"` // of the stop
	Faults   []string  `json:"faults,omitempty"`
	Cut      bool      `json:"cut,omitempty"` // this is a shortened form
}

// Seal checks the sums, and sets Time, Level, Message, Complete and Exit from the rest. The exit code is,
// in this order, ExitLost, ExitLeftOver, the app's own if it was ours, ExitFailed, or 0.
func (r *Receipt) Seal(now time.Time) {
	r.Time, r.Message = now, "receipt"
	if r.Phases == nil {
		r.Phases = []Step{}
	}
	if r.Parts == nil {
		r.Parts = []Account{}
	}
	lost, left := false, false
	for i := range r.Parts {
		a := &r.Parts[i]
		if err := a.Check(); err != nil {
			r.Faults = append(r.Faults, err.Error())
			lost = true
		}
		lost = lost || a.Lost > 0
		left = left || a.LeftOver > 0
	}
	whole := len(r.Faults) == 0 &&
		!slices.ContainsFunc(r.Phases, func(s Step) bool { return s.Outcome != Done }) &&
		!slices.ContainsFunc(r.Parts, func(a Account) bool { return len(a.Faults) > 0 })
	r.Complete = whole && !lost && !left
	r.Level, r.Exit = "INFO", 0
	switch {
	case lost:
		r.Level, r.Exit = "ERROR", ExitLost
	case left:
		r.Level, r.Exit = "WARN", ExitLeftOver
	case r.App != nil && r.App.Exit != nil && r.App.Exit.Code != 0:
		r.Exit = r.App.Exit.Code
	case !whole:
		r.Level, r.Exit = "WARN", ExitFailed
	}
}

// Line is the receipt as one line of JSON with its end.
func (r *Receipt) Line() []byte {
	text, err := json.Marshal(r)
	if err != nil { // only a part's Detail can fail
		bare := r.without(0)
		bare.Faults = append(bare.Faults, err.Error())
		text, _ = json.Marshal(bare) // strings and numbers
	}
	return append(text, '\n')
}

// Short is the receipt as one line of at most limit bytes: what matters least is left out first (details,
// phases that were done, long texts), and Cut is set. A limit below 300 may yield nothing.
func (r *Receipt) Short(limit int) []byte {
	line := r.Line()
	for _, longest := range []int{512, 128, 48, 0} {
		if len(line) <= limit {
			return line
		}
		line = r.without(longest).Line()
	}
	if len(line) <= limit {
		return line
	}
	least := Receipt{Time: r.Time, Level: r.Level, Message: r.Message, Complete: r.Complete, Exit: r.Exit, Cut: true}
	if line = least.Line(); len(line) <= limit {
		return line
	}
	return nil
}

// without is a copy with texts of at most longest bytes; 0: with no texts that are not needed.
func (r *Receipt) without(longest int) *Receipt {
	c := *r
	c.Cut = true
	c.Reason, c.Host, c.Version = shorten(r.Reason, max(longest, 48)), shorten(r.Host, 64), shorten(r.Version, 32)
	c.Faults = shortenAll(r.Faults, longest)
	c.Parts = make([]Account, len(r.Parts))
	for i, a := range r.Parts {
		a.Detail, a.Faults = nil, shortenAll(a.Faults, longest)
		a.Where = shorten(a.Where, 256) // the one text that is needed
		if longest == 0 {
			a.In, a.Out = nonzero(a.In), nonzero(a.Out)
		}
		c.Parts[i] = a
	}
	c.Phases = []Step{}
	for _, s := range r.Phases {
		if s.Error = shorten(s.Error, longest); s.Outcome != Done {
			c.Phases = append(c.Phases, s)
		}
	}
	if r.App != nil {
		app := *r.App
		app.Words = shorten(app.Words, max(longest, 48))
		app.Evidence, app.Mark = nil, nil
		c.App = &app
	}
	return &c
}

func nonzero(counts map[string]int64) map[string]int64 {
	c := maps.Clone(counts)
	maps.DeleteFunc(c, func(_ string, n int64) bool { return n == 0 })
	return c
}

// shortenAll keeps at most four texts.
func shortenAll(texts []string, longest int) []string {
	if longest == 0 {
		return nil
	}
	var short []string
	for _, t := range texts[:min(len(texts), 4)] {
		short = append(short, shorten(t, longest))
	}
	return short
}

func shorten(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	if longest < 4 {
		return ""
	}
	cut := longest - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// MaxTermination is how many bytes of a termination message the kubelet keeps.
const MaxTermination = 4096

// Deliver writes the receipt to the file, if it is named, to the pod's termination message at termination,
// if there is such a file, and to out. It tries all three; out comes last, as a pipe that nobody reads may
// block for ever.
func (r *Receipt) Deliver(out io.Writer, file, termination string) (err error) {
	if file != "" {
		if err = durable.Replace(file, r.Line(), 0o644); err != nil {
			err = fmt.Errorf("receipt: %w", err)
		}
	}
	err = errors.Join(err, r.terminate(termination))
	if _, e := out.Write(r.Line()); e != nil {
		err = errors.Join(err, fmt.Errorf("receipt: %w", e))
	}
	return err
}

// terminate writes in place: the kubelet mounts the file itself, and nothing can be renamed to it. On a
// VM there is no such file, and none is made.
func (r *Receipt) terminate(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("receipt: termination message: %w", err)
	}
	_, err = f.Write(r.Short(MaxTermination))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("receipt: termination message: %w", err)
	}
	return nil
}
