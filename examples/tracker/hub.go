package tracker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	// pollEvery is how often a copy looks for events of the others.
	pollEvery = 100 * time.Millisecond
	pollBatch = 500
	// subscriberQueue is how many events a slow subscriber may be behind before it is cut off; it comes
	// back and catches up from the stored events.
	subscriberQueue = 256
	// maxSubscribers bounds the connections held open for events.
	maxSubscribers = 10_000
)

var errTooManySubscribers = errors.New("too many subscribers")

// hub hands each stored event to every subscriber of this copy.
type hub struct {
	store *Store
	log   *slog.Logger
	nudge chan struct{}

	mu          sync.Mutex
	last        int64
	subscribers map[chan Event]struct{}
	closed      bool
}

func newHub(ctx context.Context, store *Store, log *slog.Logger) (*hub, error) {
	last, err := store.LastEvent(ctx)
	return &hub{
		store: store, log: log, last: last,
		nudge: make(chan struct{}, 1), subscribers: make(map[chan Event]struct{}),
	}, err
}

// run delivers events until ctx ends.
func (h *hub) run(ctx context.Context) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-h.nudge:
		}
		if err := h.poll(ctx); err != nil && ctx.Err() == nil {
			h.log.Error("events cannot be read", "error", err)
		}
	}
}

// wake makes the hub look at once: this copy has just written an event.
func (h *hub) wake() {
	select {
	case h.nudge <- struct{}{}:
	default:
	}
}

func (h *hub) poll(ctx context.Context) error {
	for {
		h.mu.Lock()
		last := h.last
		h.mu.Unlock()
		events, err := h.store.Events(ctx, last, pollBatch)
		if err != nil || len(events) == 0 {
			return err
		}
		h.deliver(events)
	}
}

func (h *hub) deliver(events []Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = events[len(events)-1].ID
	for queue := range h.subscribers {
		if !offer(queue, events) {
			delete(h.subscribers, queue)
			close(queue)
		}
	}
}

func offer(queue chan Event, events []Event) bool {
	for _, e := range events {
		select {
		case queue <- e:
		default:
			return false
		}
	}
	return true
}

// subscribe returns a channel of all events after the newest one, whose number is last. The channel is
// closed when the subscriber is too slow or the hub is closed.
func (h *hub) subscribe() (queue chan Event, last int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.subscribers) >= maxSubscribers {
		return nil, 0, errTooManySubscribers
	}
	queue = make(chan Event, subscriberQueue)
	h.subscribers[queue] = struct{}{}
	return queue, h.last, nil
}

func (h *hub) unsubscribe(queue chan Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subscribers, queue)
}

// close ends all subscriptions.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for queue := range h.subscribers {
		delete(h.subscribers, queue)
		close(queue)
	}
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subscribers)
}
