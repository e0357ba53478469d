package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"yadokari/cloud"
	"yadokari/logshipper"
	"yadokari/logshipper/firehose"
	"yadokari/logshipper/firehose/firehosetest"
	"yadokari/setting"
)

// shipper runs this program's own ship as a process of its own.
func shipper(scratch, path, kind, format string, size int64) (f figures, err error) {
	args := []string{"ship", scratch, path, format, strconv.FormatInt(size, 10)}
	if kind == "firehose" {
		server, address, err := startDouble()
		if err != nil {
			return f, err
		}
		defer func() {
			_ = server.Process.Kill() // it holds nothing
			_ = server.Wait()
		}()
		args = append(args, address)
	}
	c := exec.Command(os.Args[0], args...)
	c.Stderr = os.Stderr
	c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret")
	start := time.Now()
	if err := c.Run(); err != nil {
		return f, err
	}
	return figuresOf(time.Since(start), c.ProcessState, size), nil
}

func figuresOf(took time.Duration, s *os.ProcessState, size int64) figures {
	f := figures{rate: float64(size) / 1e6 / took.Seconds(), cpu: (s.UserTime() + s.SystemTime()).Seconds() / (float64(size) / 1e9)}
	if usage, ok := s.SysUsage().(*syscall.Rusage); ok {
		f.rss = float64(usage.Maxrss) / 1024
	}
	return f
}

// ship sends everything that matches a path, and ends.
func ship(args []string) error {
	scratch, path, format, size := args[0], args[1], args[2], args[3]
	var c logshipper.Config
	setting.Defaults(&c)
	c.Path, c.Format, c.Checkpoints = path, format, filepath.Join(scratch, "state")
	if len(args) > 4 {
		access := cloud.Access{Region: "ap-northeast-1", Endpoint: args[4], Timeout: 30 * time.Second}
		c.To.Firehose = &firehose.Config{Stream: "audit", Access: access}
	} else {
		c.To.Dir = &logshipper.Dir{Path: filepath.Join(scratch, "archive")}
	}
	s, err := logshipper.New([]logshipper.Config{c}, logshipper.Options{})
	if err != nil {
		return err
	}
	ran := make(chan error, 1)
	go func() { ran <- s.Run(context.Background()) }()
	r := s.Flush(context.Background())
	if err := errors.Join(<-ran, r.Err, r.Counts.Check()); err != nil {
		return err
	}
	if got := strconv.FormatInt(r.Counts.Delivered.Bytes, 10); got != size {
		return fmt.Errorf("%s bytes were delivered of %s", got, size)
	}
	os.Exit(0)
	return nil
}

// startDouble starts a Firehose double as a process of its own.
func startDouble() (*exec.Cmd, string, error) {
	c := exec.Command(os.Args[0], "double")
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := c.Start(); err != nil {
		return nil, "", err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	return c, strings.TrimSpace(address), err
}

func double([]string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	return http.Serve(listener, &firehosetest.Server{Take: func([]byte) {}})
}

// rsyslog reads the file with imfile and writes it with omfile, until the output has the last byte.
func rsyslog(scratch, path string, size int64) (f figures, err error) {
	out, conf := filepath.Join(scratch, "out.log"), filepath.Join(scratch, "rsyslog.conf")
	text := fmt.Sprintf(`global(workDirectory=%q)
module(load="imfile")
template(name="raw" type="string" string="%%msg%%\n")
ruleset(name="copy") { action(type="omfile" file=%q template="raw") }
input(type="imfile" file=%q tag="bench" ruleset="copy")
`, scratch, out, path)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return f, err
	}
	c := exec.Command("/usr/sbin/rsyslogd", "-n", "-f", conf, "-i", filepath.Join(scratch, "pid"))
	start := time.Now()
	if err := c.Start(); err != nil {
		return f, err
	}
	defer func() {
		_ = c.Process.Kill() // what it wrote is not needed
		_ = c.Wait()
	}()
	for {
		info, err := os.Stat(out)
		if err == nil && info.Size() >= size {
			break
		}
		if time.Since(start) > 10*time.Minute {
			return f, errors.New("rsyslogd does not get to the end")
		}
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(start)
	cpu, rss, err := usage(c.Process.Pid)
	if err != nil {
		return f, err
	}
	return figures{rate: float64(size) / 1e6 / took.Seconds(), cpu: cpu / (float64(size) / 1e9), rss: rss}, nil
}

// usage is the CPU seconds of a process so far, and the most MiB it had.
func usage(pid int) (cpu, rss float64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[11:13] { // utime and stime
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += ticks / 100
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			kib, err := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return cpu, kib / 1024, err
		}
	}
	return cpu, 0, nil
}
