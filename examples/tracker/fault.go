package tracker

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The ways to misbehave.
const (
	// FaultError answers with Status, 500 unless said otherwise.
	FaultError FaultKind = "error"
	// FaultHang never answers; the request ends when its client gives up or the copy stops.
	FaultHang FaultKind = "hang"
	// FaultSlow waits for Delay and then answers as always.
	FaultSlow FaultKind = "slow"
	// FaultReset resets the connection in the middle of an answer's body.
	FaultReset FaultKind = "reset"
	// FaultTruncate closes the connection in the middle of an answer's body, as if it had ended.
	FaultTruncate FaultKind = "truncate"
	// FaultClose closes the connection before any byte of an answer.
	FaultClose FaultKind = "close"
	// FaultWrong answers in time with wrong content: other values in JSON, another text in a page.
	FaultWrong FaultKind = "wrong"
	// FaultMemory takes memory until the kernel kills the copy for want of it, as a container with a
	// memory limit below 1 GiB is; where there is no such limit it stops at that and answers 500. The copy
	// is killed in the middle of a line of its audit log.
	FaultMemory FaultKind = "memory"
)

// Fault makes a part of the requests fail in one way. Its text form is PREFIX:KIND:OPTIONS, for
// example /wiki/:error:p=0.5,after=100 or "POST /issues:close:late".
type Fault struct {
	// Method limits the fault to one method; empty is all.
	Method string
	// Prefix is how the path of a request begins that can be hit. It begins with a slash.
	Prefix string
	// Kind is what happens.
	Kind FaultKind
	// Probability is the part of the requests that is hit, above 0 and at most 1. Zero means 1.
	Probability float64
	// After is how many matching requests are spared first.
	After int64
	// Limit is how many requests are hit at most. Zero: no limit.
	Limit int64
	// Delay is how long FaultSlow waits.
	Delay time.Duration
	// Status is what FaultError answers with, 500 when zero.
	Status int
	// Late does the request's work first, and only then misbehaves: the failure after which sending a
	// request again does its work twice. It means nothing to FaultSlow and FaultWrong.
	Late bool
}

// ParseFault reads the text form of a fault.
func ParseFault(text string) (Fault, error) {
	place, rest, found := strings.Cut(text, ":")
	if !found {
		return Fault{}, fmt.Errorf("fault %q: want PREFIX:KIND or PREFIX:KIND:OPTIONS", text)
	}
	f := Fault{Prefix: place}
	if method, prefix, both := strings.Cut(place, " "); both {
		f.Method, f.Prefix = method, prefix
	}
	kind, options, _ := strings.Cut(rest, ":")
	f.Kind = FaultKind(kind)
	for option := range strings.SplitSeq(options, ",") {
		if option == "" {
			continue
		}
		if err := f.option(option); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", text, err)
		}
	}
	if err := f.check(); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return f, nil
}

func (f *Fault) option(text string) (err error) {
	key, value, _ := strings.Cut(text, "=")
	switch key {
	case "p":
		f.Probability, err = strconv.ParseFloat(value, 64)
		if err == nil && f.Probability == 0 {
			return fmt.Errorf("p=0 never happens")
		}
	case "after":
		f.After, err = strconv.ParseInt(value, 10, 64)
	case "limit":
		f.Limit, err = strconv.ParseInt(value, 10, 64)
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	case "status":
		f.Status, err = strconv.Atoi(value)
	case "late":
		f.Late = true
	default:
		return fmt.Errorf("unknown option %q: p, after, limit, delay, status and late are known", key)
	}
	if err != nil {
		return fmt.Errorf("option %s: %w", key, err)
	}
	return nil
}

// String is the form that ParseFault reads.
func (f Fault) String() string {
	var options []string
	add := func(set bool, text string) {
		if set {
			options = append(options, text)
		}
	}
	add(f.Probability != 0, "p="+strconv.FormatFloat(f.Probability, 'g', -1, 64))
	add(f.After != 0, "after="+strconv.FormatInt(f.After, 10))
	add(f.Limit != 0, "limit="+strconv.FormatInt(f.Limit, 10))
	add(f.Delay != 0, "delay="+f.Delay.String())
	add(f.Status != 0, "status="+strconv.Itoa(f.Status))
	add(f.Late, "late")
	text := f.Prefix + ":" + string(f.Kind)
	if f.Method != "" {
		text = f.Method + " " + text
	}
	if len(options) > 0 {
		text += ":" + strings.Join(options, ",")
	}
	return text
}

func (f Fault) check() error {
	switch {
	case !strings.HasPrefix(f.Prefix, "/") || strings.ContainsAny(f.Prefix, ": \n"):
		return fmt.Errorf("the prefix %q is no path: it begins with / and has no colon or space", f.Prefix)
	case strings.ContainsAny(f.Method, ": \n"):
		return fmt.Errorf("the method %q is none", f.Method)
	case !(f.Probability >= 0 && f.Probability <= 1): // NaN too
		return fmt.Errorf("the probability %g is not between 0 and 1", f.Probability)
	case f.After < 0 || f.Limit < 0 || f.Delay < 0:
		return fmt.Errorf("after, limit and delay cannot be negative")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("the status %d is no error", f.Status)
	case f.Kind == FaultSlow && f.Delay == 0:
		return fmt.Errorf("slow needs a delay")
	}
	switch f.Kind {
	case FaultError, FaultHang, FaultSlow, FaultReset, FaultTruncate, FaultClose, FaultWrong, FaultMemory:
		return nil
	}
	return fmt.Errorf("unknown kind %q: error, hang, slow, reset, truncate, close, wrong and memory are known", f.Kind)
}
