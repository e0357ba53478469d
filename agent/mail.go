package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/admin"
	"yadokari/lifecycle"
	"yadokari/mailrelay"
	"yadokari/setting"
)

const mailName = "mail"

// mail is the relay as a Part.
type mail struct {
	config mailrelay.Config
	share  setting.Share
	relay  *mailrelay.Relay
	where  atomic.Pointer[string] // of what is left over, after the stop
	fault  atomic.Pointer[string] // of the stop
}

var _ Part = (*mail)(nil)

func newMail(c mailrelay.Config, share setting.Share, log *slog.Logger, registry *prometheus.Registry) (*mail, error) {
	relay, err := mailrelay.New(c, mailrelay.Options{Logger: log, Registerer: registry})
	if err != nil {
		return nil, err
	}
	return &mail{config: c, share: share, relay: relay}, nil
}

func (m *mail) Name() string { return mailName }

func (m *mail) Run(ctx context.Context) error { return m.relay.Run(ctx) }

func (m *mail) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{{Name: mailName, Share: m.share, Do: m.stop}}
}

// stop answers new mail with 421, delivers what is queued, and leaves safe what it could not.
func (m *mail) stop(ctx context.Context) error {
	result := m.relay.Drain(ctx)
	m.where.Store(&result.Where)
	err := result.Err
	if err != nil {
		text := err.Error()
		m.fault.Store(&text)
	}
	if n := result.Counts.Mails.LeftOver; n > 0 {
		err = errors.Join(fmt.Errorf("%d mails are left over in %s", n, result.Where), err)
	}
	return err
}

func (m *mail) Activity() int64 {
	c := m.relay.Counts()
	return c.Mails.Accepted + c.RefusedForNow + c.RefusedForGood
}

func (m *mail) Ready() error {
	if m.relay.Status().Refusing {
		return errors.New("mail: new mail is refused")
	}
	return nil
}

// Register shows the queue to viewers, but addresses and headers, and what changes something, to operators.
func (m *mail) Register(s *admin.Server) {
	h := m.relay.Handler()
	s.Handle("GET /api/v1/mail/", admin.Viewer, h)
	s.Handle("GET /api/v1/mail/queue/{id}", admin.Operator, h)
	s.Handle("POST /api/v1/mail/", admin.Operator, h)
	s.Handle("DELETE /api/v1/mail/", admin.Operator, h)
}

// Accounts counts mails and recipients apart: a mail with two recipients can be delivered to one and
// bounce to the other.
func (m *mail) Accounts() []lifecycle.Account {
	c := m.relay.Counts()
	mails, recipients := m.account("mails", c.Mails), m.account("recipients", c.Recipients)
	mails.Refused = c.RefusedForNow + c.RefusedForGood
	mails.Detail = map[string]int64{
		"refusedForNow": c.RefusedForNow, "refusedForGood": c.RefusedForGood, "perhapsTwice": c.Uncertain,
	}
	if fault := m.fault.Load(); fault != nil {
		mails.Faults = append(mails.Faults, *fault)
	}
	mails.Faults = append(mails.Faults, m.damage(c)...)
	return []lifecycle.Account{mails, recipients}
}

// damage says what of the spool is damaged, and in which files it is.
func (m *mail) damage(c mailrelay.Counts) (faults []string) {
	if n := c.Mails.Damaged - c.Unreadable; n > 0 {
		faults = append(faults, fmt.Sprintf("damaged in the spool, set aside in %s: %d mails", m.aside(), n))
	}
	if n := c.Unreadable; n > 0 {
		faults = append(faults, fmt.Sprintf("damaged in the spool, set aside in %s: %d parts that cannot be told to be mails, counted as one each", m.aside(), n))
	}
	if files := m.relay.Aside(); len(files) > 0 {
		for i, file := range files {
			files[i] = filepath.Base(file)
		}
		faults = append(faults, "set aside: "+strings.Join(files, ", "))
	}
	return faults
}

// aside is where the spool sets damaged mails aside.
func (m *mail) aside() string { return filepath.Join(m.config.Spool, "damaged") }

// account counts what is damaged as left over: it was accepted, nobody has it, and its file is kept.
func (m *mail) account(unit string, t mailrelay.Tally) lifecycle.Account {
	a := lifecycle.Account{
		Part: mailName, Unit: unit,
		In:   map[string]int64{"accepted": t.Accepted, "injected": t.Injected, "recovered": t.Recovered, "notices": t.Notices},
		Out:  map[string]int64{"delivered": t.Delivered, "bounced": t.Bounced, "dropped": t.Dropped, "removed": t.Removed},
		Lost: t.Dropped, LeftOver: t.LeftOver + t.Damaged,
	}
	if where := m.where.Load(); where != nil {
		a.Where = *where
	}
	if t.Damaged > 0 {
		a.Where = strings.TrimPrefix(a.Where+" and "+m.aside(), " and ")
	}
	if t.Queued == 0 {
		return a
	}
	// The relay is at work, or was abandoned in its stop: then a spool still has it, and memory does not.
	if m.config.Spool != "" {
		a.LeftOver += t.Queued
		a.Where = m.config.Spool // with what is damaged
	} else {
		a.Out["inMemory"] = t.Queued
		a.Lost += t.Queued
	}
	return a
}
