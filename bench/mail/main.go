// Command mail compares the relay with Postfix: mails a second, end to end, and CPU time a mail, with
// Postfix's own smtp-source as the client and smtp-sink as the mail server. All runs take turns on one
// machine, so the ratios mean something where the figures do not.
//
// It needs root, Debian's postfix (installed, not running), and a quiet machine:
//
//	go run ./bench/mail [-mails 5000] [-rounds 3] [-dir DIRECTORY]
//
// With -burst it measures the relay's memory instead, and needs neither root nor Postfix: so many mails are
// sent while the upstream is stopped, far more than the queue holds, for a queue in memory and in a
// spool and for each way to treat a full queue. Each run fails if the process grew beyond its bound or if the
// counts of client and relay differ.
//
//	go run ./bench/mail -burst 1000000 [-dir DIRECTORY]
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"yadokari/bench/median"
)

// figures are what one run measured.
type figures struct {
	accepted float64 // mails a second taken from the client
	rate     float64 // mails a second, from the first to its arrival of the last
	cpu      float64 // microseconds a mail
}

// contestant is a server to measure: start returns its port, its process, and how to stop it.
type contestant struct {
	name  string
	start func(dir string, sink int) (port, pid int, stop func() error, err error)
}

func main() {
	log.SetFlags(0)
	if len(os.Args) > 1 && os.Args[1] == "relay" {
		if err := relay(os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	mails := flag.Int("mails", 5000, "mails in a run")
	rounds := flag.Int("rounds", 3, "runs of each; the median counts")
	sessions := flag.Int("sessions", 20, "clients at once")
	size := flag.Int("size", 4096, "bytes of a mail")
	dir := flag.String("dir", "", "where spools are made; empty: the system's place for temporary files")
	burst := flag.Int("burst", 0, "mails of a burst into a stopped upstream; 0: compare with Postfix instead")
	flag.Parse()
	if *burst > 0 {
		if err := bursts(*dir, *burst, *sessions, *size); err != nil {
			log.Fatal(err)
		}
		return
	}
	all := []contestant{
		{"Postfix", startPostfix},
		{"spool", startRelay("spool")},
		{"cut-through", startRelay("cut-through")},
		{"cut-through and spool", startRelay("both")},
	}
	results := map[string][]figures{}
	for round := range *rounds {
		for _, c := range all {
			f, err := measure(c, *dir, *mails, *sessions, *size)
			if err != nil {
				log.Fatalf("%s: %v", c.name, err)
			}
			fmt.Printf("round %d  %-22s %7.0f accepted/s %7.0f mails/s %7.0f us CPU a mail\n", round+1, c.name, f.accepted, f.rate, f.cpu)
			results[c.name] = append(results[c.name], f)
		}
	}
	base := medians(results["Postfix"])
	fmt.Printf("\nmedian, and as a ratio to Postfix\n")
	for _, c := range all {
		m := medians(results[c.name])
		fmt.Printf("%-22s %7.0f mails/s (%.2f)  %7.0f us CPU a mail (%.2f)\n", c.name, m.rate, m.rate/base.rate, m.cpu, m.cpu/base.cpu)
	}
}

func medians(list []figures) figures {
	return figures{
		accepted: median.Of(list, func(f figures) float64 { return f.accepted }),
		rate:     median.Of(list, func(f figures) float64 { return f.rate }),
		cpu:      median.Of(list, func(f figures) float64 { return f.cpu }),
	}
}

// measure runs one contestant once.
func measure(c contestant, parent string, mails, sessions, size int) (f figures, err error) {
	dir, err := os.MkdirTemp(parent, "yadokari-bench-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return f, err
	}
	sink, sinkPort, err := startSink(mails)
	if err != nil {
		return f, err
	}
	defer func() { _ = sink.Process.Kill() }() // it may have ended
	port, pid, stop, err := c.start(dir, sinkPort)
	if err != nil {
		return f, err
	}
	defer func() {
		if e := stop(); err == nil {
			err = e
		}
	}()
	before, err := cpuOf(pid)
	if err != nil {
		return f, err
	}
	start := time.Now()
	if err := source(port, mails, sessions, size); err != nil {
		return f, err
	}
	f.accepted = float64(mails) / time.Since(start).Seconds()
	if err := waitFor(sink, 5*time.Minute); err != nil {
		return f, err
	}
	f.rate = float64(mails) / time.Since(start).Seconds()
	after, err := cpuOf(pid)
	f.cpu = float64((after - before).Microseconds()) / float64(mails)
	return f, err
}
