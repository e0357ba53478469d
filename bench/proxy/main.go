// Command proxy compares what one proxied request costs at the gateway, NGINX, HAProxy and Caddy.
//
// All run here, one after the other in turns, each pinned to one core; the origin (NGINX) and the
// load (wrk) share another. The CPU time is the kernel's account of the proxy's processes. Only
// ratios of one run mean anything: machines are shared and differ.
//
//	go run ./bench/proxy -gateway ./yadokari
//	go run ./bench/proxy -gateway ./yadokari -rate 8000
//
// With as many requests as are answered a slower proxy pays more for each: the load waits for it, and
// every answer has to wake it up on another core. With -rate all have the same to do in the same time.
//
// NGINX, HAProxy, Caddy and wrk must be installed (Debian: nginx-light haproxy caddy wrk).
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"yadokari/bench/median"
)

type options struct {
	gateway  string
	sizes    []int
	conns    []int
	seconds  int
	rounds   int
	rate     int
	peers    []string
	proxyCPU string
	loadCPU  string
	peerLogs bool
	pauses   map[int]string // wrk's script, by the number of connections
}

func main() {
	o := options{}
	sizes := flag.String("sizes", "1024,65536", "response bodies in bytes")
	conns := flag.String("connections", "1,32,256", "keep-alive connections")
	peers := flag.String("peers", "yadokari,nginx,haproxy,caddy", "who takes part")
	flag.StringVar(&o.gateway, "gateway", "./yadokari", "the yadokari binary")
	flag.IntVar(&o.seconds, "seconds", 3, "length of one measurement")
	flag.IntVar(&o.rate, "rate", 0, "about so many requests a second from all connections together; 0: as many as are answered")
	flag.IntVar(&o.rounds, "rounds", 3, "measurements of each; the median counts")
	flag.StringVar(&o.proxyCPU, "proxy-cpu", "1", "the core of the proxy")
	flag.StringVar(&o.loadCPU, "load-cpu", "0", "the core of the origin and the load")
	flag.BoolVar(&o.peerLogs, "peer-logs", true, "peers write an access log too, as in production")
	flag.Parse()
	o.sizes, o.conns, o.peers = numbers(*sizes), numbers(*conns), strings.Split(*peers, ",")
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/proxy:", err)
		os.Exit(1)
	}
}

func numbers(list string) (n []int) {
	for text := range strings.SplitSeq(list, ",") {
		v, err := strconv.Atoi(text)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench/proxy: %q is not a number\n", text)
			os.Exit(2)
		}
		n = append(n, v)
	}
	return n
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "yadokari-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := writePauses(dir, &o); err != nil {
		return err
	}
	origin, err := startOrigin(dir, o)
	if err != nil {
		return err
	}
	defer origin.stop()
	var proxies []*process
	for _, name := range o.peers {
		p, err := startPeer(name, dir, origin.address, o)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer p.stop()
		proxies = append(proxies, p)
	}
	fmt.Printf("%8s %6s  %-9s %9s %6s %9s %6s %9s %6s %9s\n", "body", "conns", "proxy", "us/req", "ratio", "p50 us", "ratio", "p99 us", "ratio", "req/s")
	for _, size := range o.sizes {
		for _, conns := range o.conns {
			if err := compare(o, proxies, size, conns); err != nil {
				return err
			}
		}
	}
	return stillShifting(o, proxies)
}

// stillShifting makes sure that what was measured was a shift: a rollback in between would have spared
// the gateway some of its work.
func stillShifting(o options, proxies []*process) error {
	for _, p := range proxies {
		if p.name == "yadokari" {
			return checkShare(o.gateway, p.admin, "wiki", "50%")
		}
	}
	return nil
}

// compare measures all proxies in turns and prints medians. Ratios are the first one's, the gateway's, to
// each of the others.
func compare(o options, proxies []*process, size, conns int) error {
	samples := map[string][]sample{}
	for range o.rounds {
		for _, p := range proxies {
			s, err := measure(p, o, size, conns)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			samples[p.name] = append(samples[p.name], s)
		}
	}
	own := medians(samples[proxies[0].name])
	for _, p := range proxies {
		m := medians(samples[p.name])
		fmt.Printf("%8d %6d  %-9s %9.1f %6.2f %9.0f %6.2f %9.0f %6.2f %9.0f\n",
			size, conns, p.name, m.cpu, own.cpu/m.cpu, m.p50, own.p50/m.p50, m.p99, own.p99/m.p99, m.rate)
	}
	return nil
}

// medians takes the median of each figure for itself.
func medians(list []sample) sample {
	return sample{
		cpu:  median.Of(list, func(s sample) float64 { return s.cpu }),
		p50:  median.Of(list, func(s sample) float64 { return s.p50 }),
		p99:  median.Of(list, func(s sample) float64 { return s.p99 }),
		rate: median.Of(list, func(s sample) float64 { return s.rate }),
	}
}

// sample is one measurement: CPU and latencies in microseconds, requests a second.
type sample struct{ cpu, p50, p99, rate float64 }

func measure(p *process, o options, size, conns int) (sample, error) {
	if _, err := load(p.address, o, size, conns, time.Second/2); err != nil { // connections and caches
		return sample{}, err
	}
	before, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	l, err := load(p.address, o, size, conns, time.Duration(o.seconds)*time.Second)
	if err != nil {
		return sample{}, err
	}
	after, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	return sample{
		cpu: float64((after - before).Microseconds()) / float64(l.requests),
		p50: l.p50, p99: l.p99, rate: l.rate,
	}, nil
}
