package shift

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Filter chooses entries of the ledger. A zero field chooses all.
type Filter struct {
	Route  string
	Actor  string
	Action Action
	// Before leaves out the entries from this Seq on, to read on where a former Read ended.
	Before uint64
	// Limit is the most entries returned; 0 means 100, and more than 10,000 means 10,000.
	Limit int
}

const (
	usualLimit = 100
	mostLimit  = 10_000
)

func (f Filter) limit() int {
	if f.Limit <= 0 {
		return usualLimit
	}
	return min(f.Limit, mostLimit)
}

func (f Filter) matches(e Entry) bool {
	return (f.Route == "" || f.Route == e.Route) &&
		(f.Actor == "" || f.Actor == e.Actor.Name) &&
		(f.Action == "" || f.Action == e.Action) &&
		(f.Before == 0 || e.Seq < f.Before)
}

// Read reads the file from its end, a block at a time, until it has enough. A last line without its
// end is being written at this moment, or was torn by a crash, and is left out; any other line that
// cannot be read is left out too, and the error says where it is.
func (l *FileLedger) Read(filter Filter) ([]Entry, error) {
	file, size, err := l.open()
	if file == nil {
		return nil, err
	}
	defer file.Close() // opened for reading
	var (
		entries []Entry
		problem error
		lines   = backward{file: file, at: size}
	)
	for limit := filter.limit(); len(entries) < limit; {
		line, end, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return entries, errors.Join(problem, fmt.Errorf("ledger %s: %w", l.path, err))
		}
		if end == size {
			continue
		}
		e, err := parseEntry(line)
		if err != nil && problem == nil {
			problem = fmt.Errorf("ledger %s: the line that ends at byte %d cannot be read: %w", l.path, end, err)
		}
		if err == nil && filter.matches(e) {
			entries = append(entries, e)
		}
	}
	return entries, problem
}

const (
	backBlock = 64 << 10
	// longestLine bounds what is held to find a line's beginning.
	longestLine = 8 << 20
)

// backward reads a file's lines from the last to the first.
type backward struct {
	file io.ReaderAt
	at   int64  // where held begins in the file
	held []byte // read, and not yet returned
	done bool
}

// next returns the line before the last one returned, without its newline, and the place in the file
// where it ends: that of its newline, or the file's end. The line is valid until the next call. The
// empty line after a file's last newline is not returned.
func (b *backward) next() (line []byte, end int64, err error) {
	for {
		if i := bytes.LastIndexByte(b.held, '\n'); i >= 0 {
			line, end = b.held[i+1:], b.at+int64(len(b.held))
			b.held = b.held[:i]
			if len(line) > 0 {
				return line, end, nil
			}
			continue
		}
		if b.at == 0 {
			if line, end = b.held, int64(len(b.held)); b.done || len(line) == 0 {
				return nil, 0, io.EOF
			}
			b.done = true
			return line, end, nil
		}
		if err := b.more(); err != nil {
			return nil, 0, err
		}
	}
}

// more puts the block before what is held in front of it.
func (b *backward) more() error {
	if len(b.held) > longestLine {
		return fmt.Errorf("a line near byte %d is longer than %d bytes", b.at, longestLine)
	}
	n := min(b.at, max(backBlock, int64(len(b.held)))) // doubling keeps long lines linear
	block := make([]byte, n, n+int64(len(b.held)))
	if _, err := b.file.ReadAt(block, b.at-n); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	b.held = append(block, b.held...)
	b.at -= n
	return nil
}
