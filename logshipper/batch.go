package logshipper

import "time"

// batch is what is delivered at once: entries of one or several files, each with its newline.
type batch struct {
	buffer []byte // tailSize bytes of headroom for reading, then the entries
	n      int    // how much of buffer is used, with the headroom
	small  []byte // the buffer that is always there
	parts  []part
	ends   []int32 // ends of entries in buffer; only kept when entries span lines
	began  time.Time
	lines  int64
	split  int64
}

// part is what a batch holds of one file, from one mark to another.
type part struct {
	file       *file
	from, to   mark
	begin, end int // in buffer
	lines      int64
}

func newBatch(small int) *batch {
	b := &batch{small: make([]byte, small)}
	b.reset(nil)
	return b
}

// reset empties the batch, and hands its large buffer back.
func (b *batch) reset(m *memory) {
	if m != nil && len(b.buffer) > len(b.small) {
		m.give(b.buffer)
	}
	b.buffer, b.n = b.small, tailSize
	clear(b.parts)
	b.parts, b.ends, b.lines, b.split = b.parts[:0], b.ends[:0], 0, 0
}

// grow moves the batch into a buffer of size bytes, if there is memory.
func (b *batch) grow(size int, m *memory) bool {
	if len(b.buffer) >= size {
		return false
	}
	large := m.take(size)
	if large == nil {
		return false
	}
	copy(large, b.buffer) // behind n, too: an entry may be there that is not added yet
	b.buffer = large
	return true
}

func (b *batch) room() int    { return len(b.buffer) - b.n }
func (b *batch) empty() bool  { return len(b.parts) == 0 }
func (b *batch) data() []byte { return b.buffer[tailSize:b.n] }

// add notes that the bytes of buffer from b.n on, size of them, are lines of f, which is read up to its
// mark to. A file's parts join when nothing stands between them.
func (b *batch) add(f *file, to mark, size int, lines int64) {
	if b.empty() {
		b.began = time.Now()
	}
	if k := len(b.parts) - 1; k >= 0 && b.parts[k].file == f {
		b.parts[k].to, b.parts[k].end = to, b.n+size
		b.parts[k].lines += lines
	} else {
		b.parts = append(b.parts, part{file: f, from: f.read, to: to, begin: b.n, end: b.n + size, lines: lines})
	}
	b.n += size
	b.lines += lines
	f.read = to
}
