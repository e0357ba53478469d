package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"yadokari/mailrelay"
	"yadokari/mailrelay/upstream"
)

// startRelay runs this program again as a relay.
func startRelay(mode string) func(dir string, sink int) (port, pid int, stop func() error, err error) {
	return func(dir string, sink int) (port, pid int, stop func() error, err error) {
		if port, err = freePort(); err != nil {
			return 0, 0, nil, err
		}
		self, err := os.Executable()
		if err != nil {
			return 0, 0, nil, err
		}
		cmd := exec.Command(self, "relay", "-mode", mode, "-port", strconv.Itoa(port), "-sink", strconv.Itoa(sink), "-dir", dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return 0, 0, nil, err
		}
		return port, cmd.Process.Pid, stopper(cmd), waitPort(port)
	}
}

func relay(args []string) error {
	f := flag.NewFlagSet("relay", flag.ExitOnError)
	mode := f.String("mode", "spool", "spool, cut-through (queue in memory) or both")
	port := f.Int("port", 0, "where to listen")
	sink := f.Int("sink", 0, "where to deliver")
	dir := f.String("dir", "", "where the spool is made")
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
		Queue: mailrelay.Queue{Messages: 1_000_000, Bytes: 8 << 30, Full: mailrelay.FullReject},
		Retry: mailrelay.Retry{First: 30 * time.Second, Max: 30 * time.Minute, MaxAge: 120 * time.Hour, Unreachable: 30 * time.Second},
		Limits: mailrelay.Limits{
			Message: 25 << 20, Recipients: 1000, Commands: 100, Errors: 20, Connections: 200, Idle: 5 * time.Minute,
			Time: 10 * time.Minute, Memory: 64 << 20, Hops: 50,
		},
	}
	if *mode != "spool" {
		c.Wait = 5 * time.Second
	}
	if *mode != "cut-through" {
		c.Spool = filepath.Join(*dir, "spool")
	}
	r, err := mailrelay.New(c, mailrelay.Options{Hostname: "relay.test"})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := r.Run(ctx); err != nil {
		return err
	}
	if err := r.Counts().Check(); err != nil {
		log.Print(err)
	}
	return nil
}
