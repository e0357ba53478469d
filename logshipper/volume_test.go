package logshipper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// drop is a sink that keeps nothing but the count.
type drop struct {
	bytes   int64
	largest int
	peak    uint64
}

func (d *drop) deliver(_ context.Context, b *batch) (bool, error) {
	d.bytes += int64(len(b.data()))
	d.largest = max(d.largest, len(b.data()))
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	d.peak = max(d.peak, m.HeapAlloc)
	return true, nil
}

func (d *drop) lazy() bool   { return false }
func (d *drop) sync() error  { return nil }
func (d *drop) close() error { return nil }

// TestBacklogInBoundedMemory ships 1,000 files of which one is large, and watches the memory.
func TestBacklogInBoundedMemory(t *testing.T) {
	s := newStage(t, nil)
	line := strings.Repeat("x", 199) + "\n"
	small, large := strings.Repeat(line, 100), strings.Repeat(line, 500_000)
	for i := range 999 {
		s.write(fmt.Sprintf("%03d.log", i), small)
	}
	s.write("large.log", large)
	total := int64(999*len(small) + len(large))
	for _, format := range []string{FormatRaw, FormatJSON} {
		s.config.Format = format
		s.config.Checkpoints = filepath.Join(t.TempDir(), "state")
		shipper, err := New([]Config{s.config}, s.options)
		s.must(err)
		sink := &drop{}
		s.must(shipper.pipes[0].out.close())
		shipper.pipes[0].out = sink
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		ran := make(chan error, 1)
		go func() { ran <- shipper.Run(context.Background()) }()
		r := shipper.Flush(limited(t, time.Minute))
		s.must(<-ran)
		lines := total / int64(len(line))
		if r.Counts.Delivered.Lines != lines || r.Counts.Delivered.Bytes != total || r.Counts.Check() != nil {
			t.Errorf("%s: %+v", format, r.Counts)
		}
		if grown := int64(sink.peak) - int64(before.HeapAlloc); grown > 48<<20 {
			t.Errorf("%s: %d bytes of memory", format, grown)
		}
		if sink.largest > int(s.config.Size) {
			t.Errorf("%s: a batch of %d bytes", format, sink.largest)
		}
	}
}

// TestLargeBatchesStayLarge ships with a size that the memory has room for once: no small batch goes between.
func TestLargeBatchesStayLarge(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Size = 32 << 20 })
	text, _ := block("line", 2_500_000) // less than three batches
	s.write("a.log", text)
	s.open()
	sink := &drop{}
	s.must(s.shipper.pipes[0].out.close())
	s.shipper.pipes[0].out = sink
	ran := make(chan error, 1)
	go func() { ran <- s.shipper.Run(context.Background()) }()
	r := s.shipper.Flush(limited(t, time.Minute))
	s.must(<-ran)
	if r.Counts.Delivered.Bytes != int64(len(text)) || r.Counts.Batches != 3 || sink.largest < 31<<20 {
		t.Errorf("%d batches of up to %d bytes for %d: %+v", r.Counts.Batches, sink.largest, len(text), r.Counts)
	}
}

// TestScarceMemory ships with no memory to share: batches are small, and everything arrives.
func TestScarceMemory(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Size, c.Line = 64<<20, 999<<10 })
	s.options.Memory = 1
	text, want := block("line", 100_000)
	s.write("a.log", text)
	s.open()
	ran := make(chan error, 1)
	go func() { ran <- s.shipper.Run(context.Background()) }()
	s.shipper.Flush(limited(t, time.Minute))
	s.must(<-ran)
	s.expect(want...)
}

// takeAll returns a function that reads a file of 100,000 lines of 200 bytes into batches, and its size.
func takeAll(tb testing.TB, format string) (func(), int64) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "a.log")
	if err := os.WriteFile(path, []byte(strings.Repeat(strings.Repeat("x", 199)+"\n", 100_000)), 0o600); err != nil {
		tb.Fatal(err)
	}
	where, log, m := prepare(nil, &Options{})
	p, err := newPipe(&Config{Path: path, Size: 4 << 20, Line: 256 << 10, Format: format}, Output{}, where, m, log)
	if err != nil {
		tb.Fatal(err)
	}
	p.adopt(path, time.Now())
	f := p.files.list[0]
	p.batch = p.spare[0]
	return func() {
		for f.read.offset < f.size {
			p.full = false
			p.collect(growing, time.Now())
			p.batch.reset(p.memory)
		}
		f.rewind()
	}, f.size
}

// TestLinesCostNoAllocation reads 100,000 lines.
func TestLinesCostNoAllocation(t *testing.T) {
	for _, format := range []string{FormatRaw, FormatJSON} {
		take, _ := takeAll(t, format)
		if n := testing.AllocsPerRun(3, take); n > 20 {
			t.Errorf("%s: %.0f allocations for 100,000 lines", format, n)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	for _, format := range []string{FormatRaw, FormatJSON} {
		b.Run(format, func(b *testing.B) {
			take, size := takeAll(b, format)
			b.ReportAllocs()
			b.SetBytes(size)
			for b.Loop() {
				take()
			}
		})
	}
}
