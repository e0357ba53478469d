package mailrelay

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"yadokari/admin"
	"yadokari/mailrelay/upstream"
)

// Mail describes one mail of the queue.
type Mail struct {
	ID         string    `json:"id"`
	State      string    `json:"state"` // ready, waiting (for its next try) or busy (being delivered)
	From       string    `json:"from"`
	Domain     string    `json:"domain"`     // of the first recipient
	Recipients int       `json:"recipients"` // those who are still to get it
	Bytes      int64     `json:"bytes"`
	Accepted   time.Time `json:"accepted"`
	Tries      int       `json:"tries"`
	Next       time.Time `json:"next,omitzero"` // the next try, in state waiting
	LastError  string    `json:"lastError,omitempty"`

	// Only of one mail that is shown:
	To     []string `json:"to,omitempty"`
	Header string   `json:"header,omitempty"`
}

// Status describes the relay as a whole.
type Status struct {
	Counts   Counts            `json:"counts"`
	Refusing bool              `json:"refusing"`
	Oldest   float64           `json:"oldestSeconds"` // age of the oldest mail in the queue
	Upstream []upstream.Status `json:"upstream"`
}

// Listing is a part of the queue, the oldest first.
type Listing struct {
	Total int    `json:"total"` // mails in the queue
	Mails []Mail `json:"mails"`
}

// Status tells how the relay fares.
func (r *Relay) Status() Status {
	return Status{
		Counts: r.Counts(), Refusing: r.refusing.Load(), Oldest: r.queue.oldestAge().Seconds(), Upstream: r.pool.Status(),
	}
}

// Queue lists at most limit mails of the queue, the oldest first.
func (r *Relay) Queue(limit int) Listing { return r.queue.list(limit) }

// ErrNoMail tells that no mail of the queue has the number.
var ErrNoMail = errors.New("there is no such mail in the queue")

// ErrBusy tells that a mail is being delivered.
var ErrBusy = errors.New("the mail is being delivered, try again")

// borrow takes a mail out of delivery for as long as f needs it.
func (r *Relay) borrow(id uint64, f func(it *item) (gone bool, err error)) error {
	r.life.RLock()
	defer r.life.RUnlock()
	if r.ended {
		return ErrStopping
	}
	it, ok := r.queue.take(id)
	if it == nil {
		return ErrNoMail
	}
	if !ok {
		return ErrBusy
	}
	next := it.next
	gone, err := f(it)
	if !gone {
		r.queue.postpone(it, next, it.lastError)
	}
	return err
}

// Show describes one mail, with its recipients and header, never its body.
func (r *Relay) Show(id uint64) (m Mail, err error) {
	err = r.borrow(id, func(it *item) (bool, error) {
		l, err := r.load(it)
		if err != nil {
			return false, err
		}
		l.close()
		m = it.describe()
		m.State = "waiting"
		m.To = pick(l.To, openRecipients(it, len(l.To)))
		m.Header = string(r.header(it))
		return false, nil
	})
	return m, err
}

// Flush tries one mail at once.
func (r *Relay) Flush(id uint64) error {
	r.pool.TryNow()
	if r.queue.flush(id, false) == 0 && !r.queue.has(id) {
		return ErrNoMail
	}
	return nil
}

// FlushAll tries every mail at once and tells how many had waited.
func (r *Relay) FlushAll() int {
	r.pool.TryNow()
	return r.queue.flush(0, true)
}

// Remove takes a mail out of the queue. Nobody is told; it is counted as removed.
func (r *Relay) Remove(id uint64) error {
	return r.borrow(id, func(it *item) (bool, error) {
		r.log.Warn("mail removed", "mail", name(id), "messageID", messageID(r.header(it)))
		r.discard(it, removed)
		return true, nil
	})
}

func (it *item) describe() Mail {
	m := Mail{
		ID: name(it.id), State: it.state.String(), From: it.from, Domain: it.domain, Recipients: it.open,
		Bytes: it.size, Accepted: it.accepted, LastError: it.lastError,
	}
	if it.state != busy { // whoever has it may be changing it
		m.Tries = it.tries
	}
	if it.state == waiting {
		m.Next = it.next
	}
	return m
}

func (q *queue) list(limit int) Listing {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := Listing{Total: len(q.items), Mails: []Mail{}}
	for el := q.oldest.Front(); el != nil && len(l.Mails) < limit; el = el.Next() {
		l.Mails = append(l.Mails, el.Value.(*item).describe())
	}
	return l
}

func (q *queue) has(id uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items[id] != nil
}

func (q *queue) oldestAge() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if el := q.oldest.Front(); el != nil {
		return max(0, time.Since(el.Value.(*item).accepted))
	}
	return 0
}

// Handler serves the queue as JSON. Its paths, all below /api/v1/mail, are
//
//	GET    /status        Status
//	GET    /queue?limit=N Listing
//	GET    /queue/ID      Mail
//	DELETE /queue/ID      remove it
//	POST   /queue/ID/flush, POST /queue/flush
//	POST   /inject        Order, answered InjectAnswer: it may have to be repeated
//
// It does not ask who calls: that is for whoever mounts it. All but GET change something.
func (r *Relay) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/mail/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, r.Status(), nil) })
	mux.HandleFunc("GET /api/v1/mail/queue", func(w http.ResponseWriter, q *http.Request) {
		limit, err := strconv.Atoi(q.FormValue("limit"))
		if err != nil || limit < 1 {
			limit = 100
		}
		answer(w, r.Queue(min(limit, 10000)), nil)
	})
	mux.HandleFunc("POST /api/v1/mail/queue/flush", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]int{"flushed": r.FlushAll()}, nil)
	})
	mux.HandleFunc("GET /api/v1/mail/queue/{id}", withID(func(w http.ResponseWriter, id uint64) {
		m, err := r.Show(id)
		answer(w, m, err)
	}))
	mux.HandleFunc("POST /api/v1/mail/queue/{id}/flush", withID(func(w http.ResponseWriter, id uint64) {
		answer(w, map[string]int{"flushed": 1}, r.Flush(id))
	}))
	mux.HandleFunc("DELETE /api/v1/mail/queue/{id}", withID(func(w http.ResponseWriter, id uint64) {
		answer(w, map[string]int{"removed": 1}, r.Remove(id))
	}))
	mux.HandleFunc("POST /api/v1/mail/inject", r.serveInject)
	return mux
}

// injectTime is how long one call to inject takes mails: who has more calls again, and sees it go on.
const injectTime = 3 * time.Second

func (r *Relay) serveInject(w http.ResponseWriter, q *http.Request) {
	var o Order
	if err := json.NewDecoder(http.MaxBytesReader(w, q.Body, 1<<16)).Decode(&o); err != nil || o.From == "" {
		fail(w, http.StatusBadRequest, "wrong-body", errors.New(`the body must be {"from": DIRECTORY or s3://BUCKET/PREFIX}`))
		return
	}
	taken, err := r.Inject(q.Context(), o, injectTime)
	if errors.Is(err, ErrInjecting) {
		answer(w, nil, err)
		return
	}
	reply := InjectAnswer{Taken: taken}
	if err != nil {
		reply.Error = err.Error()
	}
	answer(w, reply, nil)
}

// InjectAnswer is the answer to a call to inject.
type InjectAnswer struct {
	Taken
	Error string `json:"error,omitempty"` // some mails were not taken, and why
}

func withID(f func(http.ResponseWriter, uint64)) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		id, err := strconv.ParseUint(q.PathValue("id"), 16, 64)
		if err != nil {
			fail(w, http.StatusNotFound, "no-such-mail", ErrNoMail)
			return
		}
		f(w, id)
	}
}

func answer(w http.ResponseWriter, v any, err error) {
	switch {
	case errors.Is(err, ErrNoMail):
		fail(w, http.StatusNotFound, "no-such-mail", err)
	case errors.Is(err, ErrBusy), errors.Is(err, ErrInjecting):
		fail(w, http.StatusConflict, "busy", err)
	case errors.Is(err, ErrStopping):
		fail(w, http.StatusServiceUnavailable, "stopping", err)
	case err != nil:
		fail(w, http.StatusInternalServerError, "internal", err)
	default:
		admin.WriteJSON(w, http.StatusOK, v)
	}
}

func fail(w http.ResponseWriter, status int, code string, err error) {
	admin.WriteError(w, &admin.Error{Status: status, Code: code, Message: err.Error()})
}
