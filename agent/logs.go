package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/admin"
	"yadokari/lifecycle"
	"yadokari/logshipper"
	"yadokari/setting"
)

const logsName = "logs"

// logs is the shipper as a Part.
type logs struct {
	share   setting.Share
	shipper *logshipper.Shipper
	began   atomic.Bool                       // the flush
	result  atomic.Pointer[logshipper.Result] // of it
}

var _ Part = (*logs)(nil)

func newLogs(c []logshipper.Config, share setting.Share, o Options, log *slog.Logger, registry *prometheus.Registry) (*logs, error) {
	shipper, err := logshipper.New(c, logshipper.Options{Logger: log, Registerer: registry, Pod: o.Pod, Cluster: o.Cluster})
	if err != nil {
		return nil, err
	}
	return &logs{share: share, shipper: shipper}, nil
}

func (l *logs) Name() string { return logsName }

func (l *logs) Run(ctx context.Context) error { return l.shipper.Run(ctx) }

func (l *logs) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{{Name: logsName, Share: l.share, Do: l.stop}}
}

// stop reads every file to its end, and delivers; what could not be delivered stays where it is safe.
func (l *logs) stop(ctx context.Context) error {
	l.began.Store(true)
	r := l.shipper.Flush(ctx)
	l.result.Store(&r)
	err := r.Err
	if n := r.Counts.LeftOver + r.Counts.Waiting; n > 0 {
		err = errors.Join(fmt.Errorf("%d bytes of logs are left over", n), err)
	}
	return err
}

// Activity grows with what the app writes.
func (l *logs) Activity() int64 { return l.shipper.Counts().Found }

func (l *logs) Ready() error { return nil }

// Register shows how far files are shipped.
func (l *logs) Register(s *admin.Server) {
	s.Handle("GET /api/v1/logs", admin.Viewer, l.shipper.Handler())
}

// Accounts counts bytes, as not all that is left over has been read; lines are in the detail. What is neither
// delivered nor in the leftover that it is to go to counts as lost, for the files go with the pod: the stop may
// have ended before it was copied.
func (l *logs) Accounts() []lifecycle.Account {
	c := l.shipper.Counts()
	a := lifecycle.Account{
		Part: logsName, Unit: "bytes",
		In:   map[string]int64{"found": c.Found},
		Out:  map[string]int64{"delivered": c.Delivered.Bytes, "unreadable": c.Unreadable},
		Lost: c.Unreadable, LeftOver: c.LeftOver + c.Waiting,
		Where: strings.Join(l.shipper.Left(), " "),
		Detail: map[string]any{
			"linesRead": c.Read.Lines, "linesDelivered": c.Delivered.Lines, "split": c.Split, "retries": c.Retries, "files": l.shipper.Status(),
		},
	}
	if r := l.result.Load(); r != nil && r.Err != nil {
		a.Faults = append(a.Faults, r.Err.Error())
	}
	if l.began.Load() && c.ToLeave > 0 {
		a.Out["notLeft"] = c.ToLeave
		a.Lost += c.ToLeave
		a.LeftOver -= c.ToLeave
		a.Faults = append(a.Faults, fmt.Sprintf("%d bytes could not be moved to leftover.dir: they are still in the files, for as long as those are there", c.ToLeave))
	}
	if a.Where == "" && a.LeftOver > 0 {
		a.Where = "the files themselves"
	}
	return []lifecycle.Account{a}
}
