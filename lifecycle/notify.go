package lifecycle

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

const (
	extendEvery = time.Second
	extendBy    = 5 * time.Second // beyond what is left: for the receipt, on a slow disk
)

// Notifier tells systemd of a service with Type=notify how it fares (sd_notify(3)). Where there is no
// systemd nobody listens, and nothing is an error.
type Notifier struct {
	// Send passes one message on; nil: to $NOTIFY_SOCKET.
	Send func(message string)
	// Watchdog is what $WATCHDOG_USEC says: a service that is silent for so long is killed; 0: never.
	Watchdog time.Duration
}

// NewNotifier reads the environment that systemd gives.
func NewNotifier() *Notifier {
	n := &Notifier{Send: func(message string) {
		_, _ = daemon.SdNotify(false, message) // systemd that does not listen does not matter
	}}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.Watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Ready tells that start-up is over.
func (n *Notifier) Ready() { n.Send(daemon.SdNotifyReady) }

// Guard tells systemd at twice the pace it asks for that the service lives, for as long as live returns
// nil, until ctx ends.
func (n *Notifier) Guard(ctx context.Context, live func() error) {
	if n.Watchdog <= 0 {
		return
	}
	tick := time.NewTicker(n.Watchdog / 2)
	defer tick.Stop()
	for {
		if live() == nil {
			n.Send(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Stopping tells that a stop has begun which may last for grace, whatever TimeoutStopSec says, and goes
// on asking for the time that is left until ctx ends. systemd kills a service that neither ends nor
// asks.
func (n *Notifier) Stopping(ctx context.Context, grace time.Duration) {
	end := time.Now().Add(grace)
	n.Send(daemon.SdNotifyStopping)
	tick := time.NewTicker(extendEvery)
	defer tick.Stop()
	for {
		left := time.Until(end)
		if left <= 0 {
			return
		}
		n.Send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (min(left, extendEvery) + extendBy).Microseconds()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
