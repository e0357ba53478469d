package service

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	eventQueue = 1024        // events that may wait for a log that is stuck
	lastEvents = time.Second // what they may take at the end of the process
)

// events passes what is logged on to a log, from a goroutine of its own. A log can be stuck (a pipe that nobody
// reads, a disk that hangs), and who logs often holds a lock: a request whose server is taken out, or a route's
// rollback, must not wait for it. What finds no place is counted, and the log says so once it goes on.
type events struct {
	queue   chan event
	missing atomic.Uint64
	closed  atomic.Bool
	ending  chan struct{}
	ended   chan struct{}
}

type event struct {
	log    slog.Handler
	record slog.Record
}

// passEvents returns a logger that waits for nothing, and what ends it: it waits until what was logged is
// written, or until that takes too long.
func passEvents(to *slog.Logger) (logger *slog.Logger, end func()) {
	e := &events{queue: make(chan event, eventQueue), ending: make(chan struct{}), ended: make(chan struct{})}
	go e.run()
	return slog.New(eventHandler{to.Handler(), e}), e.end
}

func (e *events) run() {
	defer close(e.ended)
	for {
		select {
		case next := <-e.queue:
			e.write(next)
		case <-e.ending:
			for len(e.queue) > 0 {
				e.write(<-e.queue)
			}
			return
		}
	}
}

func (e *events) write(next event) {
	_ = next.log.Handle(context.Background(), next.record) // a log that cannot be written has no other place to say so
	if n := e.missing.Swap(0); n > 0 {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "the log was stuck; events are missing", 0)
		r.AddAttrs(slog.Uint64("events", n))
		_ = next.log.Handle(context.Background(), r) // as above
	}
}

func (e *events) end() {
	e.closed.Store(true)
	close(e.ending)
	select {
	case <-e.ended:
	case <-time.After(lastEvents):
	}
}

// eventHandler hands events to the goroutine that writes them.
type eventHandler struct {
	slog.Handler
	events *events
}

// Handle never waits, until the process ends.
func (h eventHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.events.closed.Load() {
		return h.Handler.Handle(ctx, r)
	}
	select {
	case h.events.queue <- event{h.Handler, r.Clone()}:
	default:
		h.events.missing.Add(1)
	}
	return nil
}

// WithAttrs is as in slog.Handler.
func (h eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return eventHandler{h.Handler.WithAttrs(attrs), h.events}
}

// WithGroup is as in slog.Handler.
func (h eventHandler) WithGroup(name string) slog.Handler {
	return eventHandler{h.Handler.WithGroup(name), h.events}
}
