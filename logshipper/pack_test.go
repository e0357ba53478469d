package logshipper

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"yadokari/logshipper/firehose"
)

// entries fills a batch with entries of up to longest bytes, every other one of two lines if many says so.
func entries(r *rand.Rand, size, longest int, many bool) *batch {
	b := newBatch(tailSize + size)
	for b.room() > 1 {
		n := 1 + r.IntN(min(longest, b.room()))
		entry := bytes.Repeat([]byte{'x'}, n)
		if entry[n-1] = '\n'; many {
			entry[n/2] = '\n'
			b.ends = append(b.ends, int32(b.n+n))
		}
		b.n += copy(b.buffer[b.n:], entry)
	}
	return b
}

func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 1000, firehose.MostRecord, firehose.MostRecord + 1, 4 << 20, 10 << 20} {
		for _, longest := range []int{100, 100 << 10, 999 << 10} {
			for _, many := range []bool{false, true} {
				b := entries(r, size, longest, many)
				ends := map[int]bool{b.n: true}
				for _, end := range b.ends {
					ends[int(end)] = true
				}
				at, least, most := tailSize, size, 0
				records := pack(nil, b)
				for _, record := range records {
					if !bytes.Equal(record, b.buffer[at:at+len(record)]) || len(record) > firehose.MostRecord {
						t.Fatalf("size %d, longest %d: a record of %d bytes at %d", size, longest, len(record), at)
					}
					at += len(record)
					if many && !ends[at] || at < b.n && b.buffer[at-1] != '\n' {
						t.Errorf("size %d, longest %d: a record ends within an entry", size, longest)
					}
					least, most = min(least, len(record)), max(most, len(record))
				}
				if at != b.n {
					t.Errorf("size %d, longest %d: %d bytes are in records of %d", size, longest, at, b.n)
				}
				few := (b.n - tailSize + firehose.MostRecord - 1) / firehose.MostRecord
				if longest == 100 && (len(records) > few+1 || most-least > 2*longest*len(records)) {
					t.Errorf("size %d: %d records of %d to %d bytes", size, len(records), least, most)
				}
			}
		}
	}
}
