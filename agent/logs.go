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
	result  atomic.Pointer[logshipper.Result] // of the flush
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

// Accounts counts bytes, as not all that is left over has been read; lines are in the detail.
func (l *logs) Accounts() []lifecycle.Account {
	c := l.shipper.Counts()
	files := l.shipper.Status()
	a := lifecycle.Account{
		Part: logsName, Unit: "bytes",
		In:   map[string]int64{"found": c.Found},
		Out:  map[string]int64{"delivered": c.Delivered.Bytes, "unreadable": c.Unreadable},
		Lost: c.Unreadable, LeftOver: c.LeftOver + c.Waiting,
		Detail: map[string]any{
			"linesRead": c.Read.Lines, "linesDelivered": c.Delivered.Lines, "split": c.Split, "retries": c.Retries, "files": files,
		},
	}
	if r := l.result.Load(); r != nil {
		a.Where = strings.Join(r.Where, " ")
		if r.Err != nil {
			a.Faults = append(a.Faults, r.Err.Error())
		}
	}
	if a.Where == "" && a.LeftOver > 0 {
		a.Where = "the files themselves"
	}
	return []lifecycle.Account{a}
}
