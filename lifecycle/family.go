package lifecycle

import (
	"bytes"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// relative is one process as /proc tells of it.
type relative struct{ pid, parent, group int }

// children lists the processes whose parent is pid.
func children(pid int) []relative {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var found []relative
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		if p, ok := parseStat(text); ok && p.parent == pid {
			found = append(found, p)
		}
	}
	return found
}

// parseStat reads the beginning of /proc/PID/stat: "PID (NAME) STATE PARENT GROUP …", where NAME may
// hold blanks and parentheses (proc(5)).
func parseStat(text []byte) (relative, bool) {
	before, _, ok := bytes.Cut(text, []byte(" ("))
	end := bytes.LastIndexByte(text, ')')
	if !ok || end < 0 {
		return relative{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 3 {
		return relative{}, false
	}
	pid, err1 := strconv.Atoi(string(before))
	parent, err2 := strconv.Atoi(fields[1])
	group, err3 := strconv.Atoi(fields[2])
	return relative{pid, parent, group}, err1 == nil && err2 == nil && err3 == nil
}

// oomKills is how many processes of this control group the kernel has killed for want of memory; 0 if
// it cannot be known. In a container the group is at the top (cgroup namespaces); on a host
// /proc/self/cgroup says where.
func oomKills() int64 {
	path := "/"
	if text, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		for line := range strings.Lines(string(text)) {
			if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
				path = p
			}
		}
	}
	for _, file := range []string{
		filepath.Join("/sys/fs/cgroup", path, "memory.events"),
		"/sys/fs/cgroup/memory.events",
		"/sys/fs/cgroup/memory/memory.oom_control", // version 1
	} {
		if text, err := os.ReadFile(file); err == nil {
			return parseOOMKills(string(text))
		}
	}
	return 0
}

func parseOOMKills(text string) int64 {
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			count, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err == nil {
				return count
			}
		}
	}
	return 0
}

// Reap waits for every child of this process that ends, until stop is called. It is for a first process
// that starts none itself: orphans of what is executed in its container come to it. Start with Adopt
// does it too, for as long as its command has descendants.
func Reap() (stop func()) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			for pid := 1; pid > 0; {
				pid, _ = unix.Wait4(-1, nil, unix.WNOHANG, nil) // EINTR: the next signal asks again
			}
			select {
			case <-ended:
			case <-quit:
				return
			}
		}
	}()
	return func() {
		signal.Stop(ended)
		close(quit)
		<-over
	}
}
