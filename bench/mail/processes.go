package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// freePort is a port that was free a moment ago.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// waitPort waits until a server answers.
func waitPort(port int) error {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address(port))
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return err
		}
	}
}

// startSink starts a mail server that ends after so many mails.
func startSink(mails int) (*exec.Cmd, int, error) {
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	cmd := exec.Command("smtp-sink", "-u", "nobody", "-M", strconv.Itoa(mails), address(port), "1000")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	if err := waitPort(port); err != nil {
		return nil, 0, errors.Join(err, cmd.Process.Kill(), errors.New(stderr.String()))
	}
	return cmd, port, nil
}

// source sends mails and returns when all are accepted.
func source(port, mails, sessions, size int) error {
	out, err := exec.Command("smtp-source", "-s", strconv.Itoa(sessions), "-m", strconv.Itoa(mails), "-l", strconv.Itoa(size),
		"-f", "from@example.com", "-t", "to@example.org", address(port)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("smtp-source: %w: %s", err, out)
	}
	return nil
}

func waitFor(cmd *exec.Cmd, most time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(most):
		return fmt.Errorf("%s has not ended in %v", cmd.Path, most)
	}
}

// cpuOf is the CPU time of a process and all that descend from it, those that have ended too.
func cpuOf(root int) (time.Duration, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	parent, ticks := map[int]int{}, map[int]int64{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		raw, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		parent[pid], _ = strconv.Atoi(fields[1])
		for _, f := range fields[11:15] { // utime, stime, and those of children that were waited for
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks[pid] += n
		}
	}
	var sum int64
	for pid, n := range ticks {
		for at := pid; at > 1; at = parent[at] {
			if at == root {
				sum += n
				break
			}
		}
	}
	return time.Duration(sum) * time.Second / 100, nil // USER_HZ is 100 on Linux
}

// stopper ends a process by SIGTERM.
func stopper(cmd *exec.Cmd) func() error {
	return func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		return waitFor(cmd, 30*time.Second)
	}
}
