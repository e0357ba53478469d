package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// loaded is what wrk reports: latencies in microseconds, requests a second.
type loaded struct {
	requests       int
	p50, p99, rate float64
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in`)
	wrkRate     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkLatency  = regexp.MustCompile(`(50|99)%\s+([\d.]+)(us|ms|s)`)
)

// load runs wrk against the address and reads what it reports. An answer other than 2xx is an error.
func load(address string, o options, size, conns int, length time.Duration) (loaded, error) {
	seconds := max(1, int(length.Seconds()))
	out, err := exec.Command("taskset", "-c", o.loadCPU, "wrk", "-t1", "-c"+strconv.Itoa(conns), "-d"+strconv.Itoa(seconds)+"s",
		"-s", o.pauses[conns], "--latency", "-H", "Cookie: theme=dark; SESSION=5f2b7c1e9a", "-H", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
		"-H", "Accept: text/html,application/xhtml+xml", "-H", "Accept-Language: en-GB,en;q=0.5",
		fmt.Sprintf("http://%s/wiki/%d", address, size)).CombinedOutput()
	text := string(out)
	if err != nil {
		return loaded{}, fmt.Errorf("wrk: %w\n%s", err, text)
	}
	if strings.Contains(text, "Non-2xx") || strings.Contains(text, "Socket errors") {
		return loaded{}, fmt.Errorf("not every request was answered:\n%s", text)
	}
	l := loaded{}
	if m := wrkRequests.FindStringSubmatch(text); m != nil {
		l.requests, _ = strconv.Atoi(m[1])
	}
	if m := wrkRate.FindStringSubmatch(text); m != nil {
		l.rate, _ = strconv.ParseFloat(m[1], 64)
	}
	for _, m := range wrkLatency.FindAllStringSubmatch(text, -1) {
		v, _ := strconv.ParseFloat(m[2], 64)
		v *= map[string]float64{"us": 1, "ms": 1e3, "s": 1e6}[m[3]]
		if m[1] == "50" {
			l.p50 = v
		} else {
			l.p99 = v
		}
	}
	if l.requests == 0 {
		return l, fmt.Errorf("wrk's report was not understood:\n%s", text)
	}
	return l, nil
}

// writePauses writes, for each number of connections, wrk's script that has a connection wait before it sends
// its next request, so that together they send o.rate a second.
func writePauses(dir string, o *options) error {
	o.pauses = map[int]string{}
	for _, conns := range o.conns {
		pause := 0 // milliseconds
		if o.rate > 0 {
			pause = conns * 1000 / o.rate
		}
		script := ""
		if pause > 0 {
			script = fmt.Sprintf("function delay() return %d end\n", pause)
		}
		o.pauses[conns] = filepath.Join(dir, fmt.Sprintf("pause-%d.lua", conns))
		if err := os.WriteFile(o.pauses[conns], []byte(script), 0o644); err != nil {
			return err
		}
	}
	return nil
}
