package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

const (
	maxLine   = 4 << 20
	silence   = 45 * time.Second // three heartbeats missed: the connection is dead
	firstWait = 250 * time.Millisecond
	maxWait   = 10 * time.Second
)

// Event is one server-sent event.
type Event struct {
	ID   string // of the event, or of the last one that had one
	Name string // message when the server gave none
	Data []byte // the callback may keep it
}

// Stream calls each for every event of the stream at path, from the one after lastID on if the server
// still knows it. A stream that breaks off is taken up again where it ended, after a pause that grows
// to 10 seconds. It returns when ctx ends (ctx's error), when the server refuses (an *Error with a 4xx
// status), or when each returns an error (that error).
func (c *Client) Stream(ctx context.Context, path, lastID string, each func(Event) error) error {
	wait := firstWait
	for {
		heard, err := c.streamOnce(ctx, path, &lastID, each)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if stop := (*stopError)(nil); errors.As(err, &stop) {
			return stop.error
		}
		if refused := (*Error)(nil); errors.As(err, &refused) && refused.Status >= 400 && refused.Status < 500 {
			return err
		}
		if heard {
			wait = firstWait
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait/2)): // clients of one server must not come back as one
		}
		wait = min(2*wait, maxWait)
	}
}

// stopError is an error of the caller's own, which ends the stream for good.
type stopError struct{ error }

// streamOnce reads one stream to its end, and tells whether an event came.
func (c *Client) streamOnce(ctx context.Context, path string, lastID *string, each func(Event) error) (heard bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return false, &stopError{err}
	}
	r.Header.Set("Accept", "text/event-stream")
	if *lastID != "" {
		r.Header.Set("Last-Event-ID", *lastID)
	}
	answer, err := c.send(r)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return false, &stopError{&Error{Status: answer.StatusCode, Code: "bad-answer", Message: fmt.Sprintf("%s is not a stream of events but %q", path, kind)}}
	}
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	err = parseEvents(answer.Body, *lastID, func() { dead.Reset(silence) }, func(e Event) error {
		dead.Stop() // the caller may take its time
		*lastID, heard = e.ID, true
		if err := each(e); err != nil {
			return &stopError{err}
		}
		dead.Reset(silence)
		return nil
	})
	return heard, err
}

// parseEvents reads a stream of server-sent events (HTML Living Standard, section 9.2.6), calling
// alive for every line and each for every event, until the stream or each fails. A line longer than
// 4 MiB, or an event of more than that, ends it.
func parseEvents(from io.Reader, lastID string, alive func(), each func(Event) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	lines.Split(splitLines())
	e := Event{ID: lastID}
	var data []byte
	has := false
	for first := true; lines.Scan(); first = false {
		alive()
		line := lines.Text()
		if first {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line == "" {
			if has {
				e.Data = data[:len(data)-1]
				if e.Name == "" {
					e.Name = "message"
				}
				if err := each(e); err != nil {
					return err
				}
			}
			e, data, has = Event{ID: e.ID}, nil, false
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "data":
			if len(data)+len(value) > maxLine {
				return bufio.ErrTooLong
			}
			data, has = append(append(data, value...), '\n'), true
		case "event":
			e.Name = value
		case "id":
			if !strings.Contains(value, "\x00") {
				e.ID = value
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// splitLines splits at CR LF, LF or CR. A LF that follows a CR belongs to it, also when it arrives
// later: an event must not wait for the one after it.
func splitLines() bufio.SplitFunc {
	afterCR := false
	return func(data []byte, atEOF bool) (advance int, token []byte, err error) {
		skip := 0
		if afterCR && len(data) > 0 {
			afterCR = false
			if data[0] == '\n' {
				skip = 1
			}
		}
		for i := skip; i < len(data); i++ {
			if data[i] == '\n' || data[i] == '\r' {
				afterCR = data[i] == '\r'
				return i + 1, data[skip:i], nil
			}
		}
		return skip, nil, nil // a last line without an end is no line
	}
}
