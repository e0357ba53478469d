package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"yadokari/mailrelay"
)

// The queue's bounds in a burst: the defaults.
const (
	burstMessages = 10_000
	burstBytes    = 64 << 20
)

// bound is the most memory a relay may have: Go's collector lets the heap grow to twice what is live
// before it is done (GOGC=100), and the program itself takes some.
func bound(spooled bool, sessions int) int64 {
	live := int64(burstMessages)*perMail + int64(sessions)*perSession
	if !spooled {
		live += burstBytes
	}
	return program + 2*live
}

// What the documentation says a mail that waits and a client take beside the mails' bytes; and what the
// program takes before the first.
const (
	perMail    = 2 << 10
	perSession = 150 << 10
	program    = 24 << 20
)

// stopped is the port of an upstream that does not listen. One that was free a moment ago will not do: the relay
// itself could get it, and send mail in circles.
const stopped = 1

// bursts makes one burst for each kind of queue and each way to treat a full one.
func bursts(parent string, mails, sessions, size int) error {
	var failed []error
	for _, mode := range []string{"memory", "spool"} {
		for _, full := range []string{mailrelay.FullReject, mailrelay.FullDropOldest, mailrelay.FullDropNewest} {
			if err := burst(parent, mode, full, mails, sessions, size); err != nil {
				failed = append(failed, fmt.Errorf("%s, %s: %w", mode, full, err))
			}
		}
	}
	return errors.Join(failed...)
}

func burst(parent, mode, full string, mails, sessions, size int) (err error) {
	dir, err := os.MkdirTemp(parent, "yadokari-burst-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	port, cmd, end, err := relayProcess(dir, stopped, "-mode", mode, "-full", full,
		"-messages", strconv.Itoa(burstMessages), "-bytes", strconv.Itoa(burstBytes))
	if err != nil {
		return err
	}
	start := time.Now()
	sent, sendErr := flood(address(port), mails, sessions, size)
	took := time.Since(start)
	peak, err := peakMemory(cmd.Process.Pid)
	e, endErr := end()
	if err = errors.Join(sendErr, err, endErr); err != nil {
		return err
	}
	most := bound(mode == "spool", sessions)
	m := e.Counts.Mails
	fmt.Printf("%-6s %-11s  %8d accepted %8d refused %8d dropped %6d left over  %6.0f mails/s  peak RSS %5.1f MiB of %.1f\n", mode, full,
		m.Accepted, e.Counts.RefusedForNow, m.Dropped, m.LeftOver, float64(mails)/took.Seconds(), mib(peak), mib(most))
	if peak > most {
		err = fmt.Errorf("the process grew to %.1f MiB", mib(peak))
	}
	return errors.Join(err, e.compare(sent, mails))
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// compare tells what does not add up between client and relay.
func (e ending) compare(sent answers, mails int) error {
	m := e.Counts.Mails
	errs := []error{e.Counts.Check()}
	for _, c := range []struct {
		what string
		a, b int64
	}{
		{"answers and mails", sent.accepted + sent.refused, int64(mails)},
		{"250s and mails accepted", sent.accepted, m.Accepted},
		{"452s and mails refused", sent.refused, e.Counts.RefusedForNow},
		{"mails accepted, and dropped or left over", m.Accepted, m.Dropped + m.LeftOver},
		{"mails dropped and log lines", m.Dropped, e.Dropped},
	} {
		if c.a != c.b {
			errs = append(errs, fmt.Errorf("%s: %d and %d", c.what, c.a, c.b))
		}
	}
	if m.LeftOver > burstMessages {
		errs = append(errs, fmt.Errorf("the queue held %d mails", m.LeftOver))
	}
	return errors.Join(errs...)
}

// peakMemory is the most memory a process has had (VmHWM of /proc), in bytes.
func peakMemory(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the kernel does not say how much memory the process has had")
}
