package logshipper

import (
	"bytes"
	"time"
)

// collect fills the batch from all files in turn, until it is full or there is no more.
func (p *pipe) collect(how reading, now time.Time) {
	for took := true; took && !p.full; {
		took = false
		for range len(p.files.list) {
			if p.first++; p.first >= len(p.files.list) {
				p.first = 0
			}
			f := p.files.list[p.first]
			if how := p.howTo(f, how, now); f.hasMore(how, now) {
				took = p.take(f, how, now) || took
			}
			if p.full {
				p.first-- // the same file again: it may be at its end
				break
			}
		}
	}
}

// howTo is how a file may be read now. One that is away and was quiet for long is at its end, as in a flush.
func (p *pipe) howTo(f *file, how reading, now time.Time) reading {
	if p.isOver(f, now) {
		return final
	}
	if how == growing && p.split.start != nil && now.Sub(f.changed) >= p.config.Pause {
		return quiet
	}
	return how
}

// take reads a piece of the file into the batch, and tells whether it got on.
func (p *pipe) take(f *file, how reading, now time.Time) bool {
	before := f.read.offset
	var changed bool
	var err error
	if p.isDirect() {
		changed, err = p.takeDirect(f, how)
	} else {
		changed, err = p.takeEntries(f, how)
	}
	switch {
	case err != nil:
		p.unreadable(f, err, now)
		return false
	case changed:
		p.truncated(f, max(f.before, f.base+f.headLen), now) // it has grown again since
		return true
	}
	f.readable()
	if f.read.offset > f.size {
		f.grown(f.read.offset, now)
		p.note(f)
	}
	if f.read.offset == before && !p.full {
		f.barren, f.barely = f.size, how
	}
	p.counts.Read.Bytes += f.read.offset - before
	return f.read.offset > before
}

// hasMore tells whether reading the file so may get on.
func (f *file) hasMore(how reading, now time.Time) bool {
	return f.handle != nil && f.read.offset < f.size && !(f.barren == f.size && f.barely >= how) && !now.Before(f.retryAt)
}

// readable notes that there is no trouble any more.
func (f *file) readable() {
	if !f.retryAt.IsZero() {
		f.trouble, f.retryAt = nil, time.Time{}
	}
}

// unreadable notes that the file could not be read just now: a disk that is reached over a network may be back soon.
func (p *pipe) unreadable(f *file, err error, now time.Time) {
	f.trouble, f.retryAt = err, now.Add(readAgain)
	if now.Sub(f.logged) >= logEvery {
		p.log.Error("log file cannot be read, and is tried again", "file", f.path, "error", err.Error())
		f.logged = now
	}
}

// needs makes room for size bytes, if there is any; else the batch is full.
func (p *pipe) needs(size int) bool {
	for p.batch.room() < size {
		if !p.batch.grow(int(p.config.Size), p.memory) {
			p.full = true
			return false
		}
	}
	return true
}

// takeDirect reads into the batch itself.
func (p *pipe) takeDirect(f *file, how reading) (changed bool, err error) {
	limit := p.split.limit
	if !p.needs(limit + 1) {
		return false, nil
	}
	b := p.batch
	var kept [tailSize]byte
	head := b.buffer[b.n-tailSize : b.n]
	copy(kept[:], head)
	n, changed, err := f.readAt(b.buffer[b.n-tailSize : b.n+limit])
	copy(head, kept[:])
	if n == 0 || changed {
		return changed, err
	}
	data := b.buffer[b.n : b.n+n]
	if f.isCut(nil) && data[0] == '\n' {
		return false, p.skipEnd(f, data[:1])
	}
	size := bytes.LastIndexByte(data, '\n') + 1
	lines := int64(bytes.Count(data[:size], []byte{'\n'}))
	out := size
	if size == 0 {
		var cut bool
		if size, cut = p.split.unended(data, how); size == 0 {
			return false, nil
		}
		out, lines = size+1, 1
		b.count(cut)
	}
	if err := f.learn(data[:size]); err != nil {
		return false, err
	}
	after := f.markAfter(data[:size], out)
	if out > size {
		b.buffer[b.n+size] = '\n'
	}
	b.add(f, after, out, lines)
	p.counts.Read.Lines += lines
	return false, nil
}

// takeEntries reads beside the batch, and copies entry by entry.
func (p *pipe) takeEntries(f *file, how reading) (changed bool, err error) {
	n, changed, err := f.readAt(p.scratch)
	if n == 0 || changed {
		return changed, err
	}
	data := p.scratch[tailSize : tailSize+n]
	if n == len(p.scratch)-tailSize {
		how = growing // there is more
	}
	if p.encoder != nil && f.prefix == nil {
		f.prefix = p.encoder.prefixOf(f.name, f.id)
	}
	b, used, written, lines := p.batch, 0, 0, int64(0)
	for used < n {
		size, cut := p.split.next(data[used:], how)
		if size == 0 || !p.needs(written+p.spaceFor(f, size)) {
			break
		}
		entry := data[used : used+size]
		if size == 1 && entry[0] == '\n' && f.isCut(data[:used]) { // the end of what went out before
			used++
			continue
		}
		used += size
		written += p.put(b, b.n+written, f, f.read.offset+int64(used-size), entry)
		lines++
		b.count(cut)
	}
	if used == 0 {
		return false, nil
	}
	if err := f.learn(data[:used]); err != nil {
		return false, err
	}
	b.add(f, f.markAfter(data[:used], written), written, lines)
	p.counts.Read.Lines += lines
	return false, nil
}

// skipEnd takes the newline of a line that is out already: the line was cut right before it. It would be an
// empty line of its own.
func (p *pipe) skipEnd(f *file, newline []byte) error {
	if err := f.learn(newline); err != nil {
		return err
	}
	p.batch.add(f, f.markAfter(newline, 0), 0, 0)
	return nil
}

func (p *pipe) spaceFor(f *file, size int) int {
	if p.encoder == nil {
		return size + 1
	}
	return worst(len(f.prefix), size)
}

// put writes an entry at a place of the batch, and returns its length there.
func (p *pipe) put(b *batch, at int, f *file, offset int64, entry []byte) int {
	to := b.buffer[at:at]
	if p.encoder != nil {
		entry = bytes.TrimSuffix(entry, []byte{'\n'})
		to = appendEntry(to, f.prefix, offset, entry)
	} else if to = append(to, entry...); entry[len(entry)-1] != '\n' {
		to = append(to, '\n')
	}
	if p.split.start != nil {
		b.ends = append(b.ends, int32(at+len(to)))
	}
	return len(to)
}

func (b *batch) count(cut bool) {
	if cut {
		b.split++
	}
}
