package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"yadokari/mailrelay"
	"yadokari/mailrelay/upstream"
	"yadokari/setting"
)

// startRelay runs this program again as a relay.
func startRelay(mode string) func(dir string, sink int) (port, pid int, stop func() error, err error) {
	return func(dir string, sink int) (port, pid int, stop func() error, err error) {
		port, cmd, end, err := relayProcess(dir, sink, "-mode", mode)
		if err != nil {
			return 0, 0, nil, err
		}
		stop = func() error {
			e, err := end()
			return errors.Join(err, e.Counts.Check())
		}
		return port, cmd.Process.Pid, stop, nil
	}
}

// relayProcess runs this program again as a relay. end stops it and returns what it says at its end.
func relayProcess(dir string, sink int, args ...string) (port int, cmd *exec.Cmd, end func() (ending, error), err error) {
	if port, err = freePort(); err != nil {
		return 0, nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, nil, nil, err
	}
	cmd = exec.Command(self, append([]string{"relay", "-port", strconv.Itoa(port), "-sink", strconv.Itoa(sink), "-dir", dir}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, nil, nil, err
	}
	end = func() (e ending, err error) {
		if err := stopper(cmd)(); err != nil {
			return e, err
		}
		return e, json.Unmarshal(out.Bytes(), &e)
	}
	if err := waitPort(port); err != nil {
		_, e := end()
		return 0, nil, nil, errors.Join(err, e)
	}
	return port, cmd, end, nil
}

func relay(args []string) error {
	f := flag.NewFlagSet("relay", flag.ExitOnError)
	mode := f.String("mode", "spool", "spool, memory, cut-through (queue in memory) or both")
	port := f.Int("port", 0, "where to listen")
	sink := f.Int("sink", 0, "where to deliver")
	dir := f.String("dir", "", "where the spool is made")
	full := f.String("full", mailrelay.FullReject, "what to do when the queue is full")
	messages := f.Int("messages", 1_000_000, "mails the queue holds")
	size := f.Int64("bytes", 8<<30, "bytes the queue holds")
	if err := f.Parse(args); err != nil {
		return err
	}
	c := mailrelay.Config{
		Listen: address(*port),
		Upstream: upstream.Config{
			Address: address(*sink), TLS: upstream.TLSOff, Connections: 8,
			Reuse: upstream.Reuse{Mails: 100, Time: time.Minute, Idle: 10 * time.Second}, Resolve: 30 * time.Second,
			Timeouts: upstream.Timeouts{Connect: 10 * time.Second, Command: time.Minute, Data: 3 * time.Minute, Answer: 10 * time.Minute},
		},
		Queue: mailrelay.Queue{Messages: *messages, Bytes: setting.Size(*size), Full: *full},
		Retry: mailrelay.Retry{First: 30 * time.Second, Max: 30 * time.Minute, MaxAge: 120 * time.Hour, Unreachable: 30 * time.Second},
		Limits: mailrelay.Limits{
			Message: 25 << 20, Recipients: 1000, Commands: 100, Errors: 20, Connections: 200, Idle: 5 * time.Minute,
			Time: 10 * time.Minute, Memory: 64 << 20, Hops: 50,
		},
	}
	if *mode == "cut-through" || *mode == "both" {
		c.Wait = 5 * time.Second
	}
	if *mode == "spool" || *mode == "both" {
		c.Spool = filepath.Join(*dir, "spool")
	} else {
		c.Leftover.Dir = filepath.Join(*dir, "leftover")
	}
	var logs lineCounter
	r, err := mailrelay.New(c, mailrelay.Options{Hostname: "relay.test", Logger: slog.New(slog.NewJSONHandler(&logs, nil))})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := r.Run(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(ending{r.Counts(), logs.dropped.Load()})
}

// ending is what a relay says at its end.
type ending struct {
	Counts  mailrelay.Counts
	Dropped int64 // log lines of mails dropped
}

// lineCounter counts log lines instead of writing them. The handler writes a line at a time.
type lineCounter struct{ dropped atomic.Int64 }

func (c *lineCounter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`"msg":"mail dropped"`)) {
		c.dropped.Add(1)
	}
	return len(line), nil
}
