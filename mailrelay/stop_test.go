package mailrelay

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/mailrelay/sink"
)

// A mail that meets a passing trouble in a stop is tried again within the stop, whatever retry.first and
// retry.unreachable say.
func TestStopTriesAgainInTime(t *testing.T) {
	for name, c := range map[string]struct {
		onText string        // the answers to the first two texts
		away   time.Duration // how long after the stop has begun the server cannot be reached
	}{
		"refused for now":   {onText: "451 4.3.0 later"},
		"broken connection": {onText: "close"},
		"away":              {away: 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			settings := settings()
			settings.Retry.Unreachable, settings.Leftover.Dir = 10*time.Minute, t.TempDir()
			var reachable atomic.Bool
			broken := func() error {
				if !reachable.Load() {
					return errors.New("refused")
				}
				return nil
			}
			var texts atomic.Int64
			script := sink.Script{OnText: func(sink.Mail) string {
				if texts.Add(1) <= 2 {
					return c.onText
				}
				return ""
			}}
			inBubbleDialing(t, settings, script, broken, func(r *Relay, _ *sink.Server) {
				for range 5 {
					r.put("a@b.test", "x@y.test")
				}
				time.Sleep(time.Hour) // it has failed often: the next try would be long after the stop
				time.AfterFunc(c.away, func() { reachable.Store(true) })
				ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
				defer cancel()
				time.Sleep(time.Millisecond)
				if res := r.Drain(ctx); res.Counts.Mails.Delivered != 5 || res.Err != nil {
					t.Errorf("%+v", res)
				}
			})
		})
	}
}
