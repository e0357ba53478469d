package tracker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// MailCounts add up: Queued = Accepted + Refused + Left + Waiting.
type MailCounts struct {
	Queued   int64 `json:"queued"`
	Accepted int64 `json:"accepted"` // the server answered 250, or sendmail exited with 0
	Refused  int64 `json:"refused"`  // for good, or the queue was full
	Left     int64 `json:"left"`     // not accepted when the copy stopped
	Waiting  int64 `json:"waiting"`
	Retried  int64 `json:"retried"` // attempts after a first one
}

// MailEntry is one line of the mail log.
type MailEntry struct {
	Time    time.Time `json:"time"`
	ID      string    `json:"id"` // Message-ID, with its angle brackets
	To      []string  `json:"to"`
	Outcome string    `json:"outcome"` // accepted, refused or left
	Why     string    `json:"why,omitempty"`
}

// The outcomes of a mail.
const (
	MailAccepted = "accepted"
	MailRefused  = "refused"
	MailLeft     = "left"
)

// permanent is an error after which a mail is not tried again.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// mailer sends mails in the background from a queue in memory, as applications do that trust the
// mail server beside them.
type mailer struct {
	config Mail
	log    *slog.Logger
	send   func(context.Context, message) error
	queue  chan message
	ctx    context.Context // ends when what has not been sent is given up
	giveUp context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	file   *os.File
	sums   MailCounts
}

func startMailer(config Mail, log *slog.Logger) (*mailer, error) {
	config = config.normal()
	q := &mailer{config: config, log: log, queue: make(chan message, config.Queue)}
	q.ctx, q.giveUp = context.WithCancel(context.Background())
	q.send = config.smtp
	if config.Via == "sendmail" {
		q.send = config.sendmail
	}
	if config.Log != "" {
		file, err := os.OpenFile(config.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, fmt.Errorf("mail log: %w", err)
		}
		q.file = file
	}
	for range config.Workers {
		q.done.Go(q.work)
	}
	return q, nil
}

// enqueue takes a mail, or refuses it when the queue is full.
func (q *mailer) enqueue(m message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sums.Queued++
	if q.closed {
		q.note(m, MailLeft, errors.New("the copy is stopping"))
		return
	}
	select {
	case q.queue <- m:
		q.sums.Waiting++
	default:
		q.note(m, MailRefused, errors.New("the queue is full"))
	}
}

func (q *mailer) work() {
	for m := range q.queue {
		outcome, err := q.deliver(m)
		q.mu.Lock()
		q.sums.Waiting--
		q.note(m, outcome, err)
		q.mu.Unlock()
	}
}

// deliver tries to send a mail until it is accepted, refused for good, or given up at a stop.
func (q *mailer) deliver(m message) (outcome string, err error) {
	wait := q.config.Retry
	for {
		if q.ctx.Err() != nil {
			return MailLeft, errors.Join(err, q.ctx.Err())
		}
		attempt, cancel := context.WithTimeout(q.ctx, q.config.Timeout)
		err = q.send(attempt, m)
		cancel()
		var final permanent
		switch {
		case err == nil:
			return MailAccepted, nil
		case errors.As(err, &final):
			return MailRefused, err
		}
		q.log.Warn("mail not accepted yet", "id", m.id, "error", err)
		pause(q.ctx, wait/2+rand.N(wait/2+1)) // spread, so that workers do not come back together
		wait = min(2*wait, 16*q.config.Retry)
		q.mu.Lock()
		q.sums.Retried++
		q.mu.Unlock()
	}
}

// note counts what became of a mail and logs it at once: after kill -9 the log may lack a mail that
// was accepted, and never has one that was not.
func (q *mailer) note(m message, outcome string, why error) {
	entry := MailEntry{Time: time.Now().UTC(), ID: m.id, To: m.to, Outcome: outcome}
	if why != nil {
		entry.Why = why.Error()
		q.log.Error("mail not sent", "id", m.id, "outcome", outcome, "error", why)
	}
	switch outcome {
	case MailAccepted:
		q.sums.Accepted++
	case MailRefused:
		q.sums.Refused++
	case MailLeft:
		q.sums.Left++
	}
	if q.file == nil {
		return
	}
	line, err := json.Marshal(entry)
	if err == nil {
		_, err = q.file.Write(append(line, '\n'))
	}
	if err != nil {
		q.log.Error("mail log", "id", m.id, "outcome", outcome, "error", err)
	}
}

// close sends what is queued, until ctx ends; what is left then is counted, logged, and an error.
func (q *mailer) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	close(q.queue)
	q.mu.Unlock()
	stop := context.AfterFunc(ctx, q.giveUp)
	q.done.Wait()
	stop()
	q.giveUp()
	var err error
	if q.file != nil {
		err = errors.Join(q.file.Sync(), q.file.Close())
	}
	if left := q.counts().Left; left > 0 {
		err = errors.Join(err, fmt.Errorf("%d mails were not accepted before the end", left))
	}
	return err
}

func (q *mailer) counts() MailCounts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sums
}
