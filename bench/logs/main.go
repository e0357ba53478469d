// Command logs compares the log shipper with rsyslog: from a file with a backlog to a directory, and to a
// Firehose double, against rsyslog's imfile to omfile. All runs take turns on one machine, so the ratios
// mean something where the figures do not. Ours counts from the start of the process to its end, with
// everything acknowledged and fsynced; rsyslog's until its output has the last byte.
//
// It needs Debian's rsyslog, installed; it starts one of its own:
//
//	go run ./bench/logs [-mib 1024] [-rounds 3] [-files 1000] [-dir DIRECTORY]
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"yadokari/bench/median"
)

// figures are what one run measured.
type figures struct {
	rate float64 // MB/s
	cpu  float64 // CPU seconds per GB
	rss  float64 // MiB, the most
}

// targets, as ratios to rsyslog and in MiB.
const (
	wantRate = 4
	wantCPU  = 0.25
	wantRSS  = 64
)

func main() {
	log.SetFlags(0)
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "ship":
			log.Fatal(ship(os.Args[2:]))
		case "double":
			log.Fatal(double(os.Args[2:]))
		}
	}
	mib := flag.Int("mib", 1024, "size of the backlog")
	rounds := flag.Int("rounds", 3, "runs of each; the median counts")
	many := flag.Int("files", 1000, "files at once, in the run with many")
	dir := flag.String("dir", "", "where files are made; empty: the system's place for temporary files")
	flag.Parse()
	if err := compare(*dir, *mib, *rounds, *many); err != nil {
		log.Fatal(err)
	}
}

func compare(dir string, mib, rounds, many int) error {
	dir, err := os.MkdirTemp(dir, "bench-logs-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a second run makes its own
	size, err := writeLines(filepath.Join(dir, "one", "0.log"), mib<<20)
	if err != nil {
		return err
	}
	var spread int64
	for i := range many {
		n, err := writeLines(filepath.Join(dir, "many", fmt.Sprintf("%04d.log", i)), mib<<20/many)
		if err != nil {
			return err
		}
		spread += n
	}
	contestants := []struct {
		name string
		run  func(scratch string) (figures, error)
	}{
		{"rsyslog imfile-omfile", func(s string) (figures, error) { return rsyslog(s, filepath.Join(dir, "one", "0.log"), size) }},
		{"dir", func(s string) (figures, error) {
			return shipper(s, filepath.Join(dir, "one", "*.log"), "dir", "raw", size)
		}},
		{"dir, json", func(s string) (figures, error) {
			return shipper(s, filepath.Join(dir, "one", "*.log"), "dir", "json", size)
		}},
		{"firehose", func(s string) (figures, error) {
			return shipper(s, filepath.Join(dir, "one", "*.log"), "firehose", "raw", size)
		}},
		{fmt.Sprintf("dir, %d files", many), func(s string) (figures, error) {
			return shipper(s, filepath.Join(dir, "many", "*.log"), "dir", "raw", spread)
		}},
	}
	results := map[string][]figures{}
	for round := range rounds {
		for _, c := range contestants {
			scratch := filepath.Join(dir, "scratch")
			if err := os.MkdirAll(scratch, 0o755); err != nil {
				return err
			}
			f, err := c.run(scratch)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if err := os.RemoveAll(scratch); err != nil {
				return err
			}
			fmt.Printf("round %d  %-22s %7.0f MB/s %7.2f CPU s/GB %5.0f MiB\n", round+1, c.name, f.rate, f.cpu, f.rss)
			results[c.name] = append(results[c.name], f)
		}
	}
	base := medians(results[contestants[0].name])
	fmt.Printf("\nmedian, and as a ratio to rsyslog; wanted: at least %d, at most %.2f, at most %d MiB\n", wantRate, wantCPU, wantRSS)
	for _, c := range contestants {
		m := medians(results[c.name])
		fmt.Printf("%-22s %7.0f MB/s (%.2f)  %6.2f CPU s/GB (%.2f)  %5.0f MiB\n", c.name, m.rate, m.rate/base.rate, m.cpu, m.cpu/base.cpu, m.rss)
	}
	return nil
}

func medians(list []figures) figures {
	return figures{
		rate: median.Of(list, func(f figures) float64 { return f.rate }), cpu: median.Of(list, func(f figures) float64 { return f.cpu }),
		rss: median.Of(list, func(f figures) float64 { return f.rss }),
	}
}

// writeLines makes a file of lines of 200 bytes, and returns its size.
func writeLines(path string, size int) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, err
	}
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	filler := strings.Repeat("the quick brown fox jumps over the lazy dog ", 5)
	n := int64(0)
	for i := 0; n < int64(size); i++ {
		line := fmt.Sprintf("%s %012d %s", time.Unix(1700000000, int64(i)).UTC().Format(time.RFC3339), i, filler)[:199] + "\n"
		written, err := w.WriteString(line)
		if err != nil {
			return 0, err
		}
		n += int64(written)
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return n, file.Close()
}
