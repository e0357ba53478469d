package service

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// gatedLog waits at its first event until it is let go.
type gatedLog struct {
	slog.Handler
	once *sync.Once
	met  chan struct{}
	gate chan struct{}
}

func (l gatedLog) Handle(ctx context.Context, r slog.Record) error {
	l.once.Do(func() {
		close(l.met)
		<-l.gate
	})
	return l.Handler.Handle(ctx, r)
}

// Every event is written in its order, with what its logger adds; those that found no place are counted.
func TestEventsAreWrittenOrCounted(t *testing.T) {
	var text bytes.Buffer
	log := gatedLog{slog.NewTextHandler(&text, nil), new(sync.Once), make(chan struct{}), make(chan struct{})}
	logger, end := passEvents(slog.New(log))
	logger.Info("first")
	<-log.met
	for range eventQueue {
		logger.Info("waits")
	}
	for range 7 {
		logger.Info("has no place")
	}
	close(log.gate)
	end()
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	waits := strings.Count(text.String(), "msg=waits")
	if len(lines) != eventQueue+2 || waits != eventQueue || !strings.Contains(lines[0], "msg=first") || !strings.Contains(lines[1], "events=7") {
		t.Errorf("%d lines, %d of those that wait; the first: %q", len(lines), waits, lines[:2])
	}
	logger.With("part", "gateway").Info("after the end")
	if !strings.Contains(text.String(), `msg="after the end" part=gateway`) {
		t.Error("an event after the end is lost")
	}
}
