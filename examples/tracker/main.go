package tracker

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// readyMessage is the log message that says where a copy listens; Start waits for it.
const readyMessage = "listening"

// ready is the part of that log line that Start reads.
type ready struct {
	Message string `json:"msg"`
	URL     string `json:"url"`
	Control string `json:"control"`
	Build   string `json:"build"`
}

// Main runs a copy as a process: it takes the command line, logs JSON lines to stdout, stops in order
// on SIGTERM, SIGINT or the end of ctx, and goes on in a new audit log on SIGHUP. The result is the
// exit status: 0 done, 1 failed or something could not be written out, 2 wrong usage.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	config, err := ParseArgs(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := run(ctx, config, slog.New(slog.NewJSONHandler(stdout, nil))); err != nil {
		fmt.Fprintln(stderr, "tracker:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, config Config, log *slog.Logger) error {
	s, err := New(ctx, config, log)
	if err != nil {
		return err
	}
	if err := s.Listen(); err != nil {
		return errors.Join(err, s.Close())
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go s.reopenOn(ctx, hangup)
	log.Info(readyMessage, "url", s.URL(), "control", s.ControlURL(), "build", s.config.Version)
	return s.Serve(ctx)
}

func (s *Server) reopenOn(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			if err := s.ReopenLogs(); err != nil {
				s.log.Error("reopen", "error", err)
			}
		}
	}
}

// parseReady reads a log line, and says whether it is the one that tells where a copy listens.
func parseReady(line []byte) (ready, bool) {
	var r ready
	return r, json.Unmarshal(line, &r) == nil && r.Message == readyMessage
}
