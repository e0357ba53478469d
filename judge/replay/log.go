package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Key chooses what of a line tells users apart.
type Key string

// The keys there are.
const (
	ClientAgent Key = "client+agent"
	Client      Key = "client"
	User        Key = "user"
)

// Keys are all keys.
func Keys() []Key { return []Key{ClientAgent, Client, User} }

// of is the key of a line; empty: it has none.
func (k Key) of(l *Line, buffer []byte) []byte {
	switch k {
	case Client:
		return l.Client
	case User:
		return l.User
	}
	return append(append(append(buffer[:0], l.Client...), 0), l.Agent...)
}

// Log is what access logs told, made ready for many splits. The zero value with a Key is empty and ready.
type Log struct {
	// Key is what tells users apart; empty: ClientAgent.
	Key Key
	// Lines is how many lines were read, Bad how many of them could not be understood, Keyless how many have
	// nothing for the key.
	Lines, Bad, Keyless int
	// FirstBad says of the first line that could not be understood where it is and what is wrong.
	FirstBad string

	users   map[string]uint32
	entries []entry
	buffer  []byte
	sorted  bool
}

// entry is one line.
type entry struct {
	at      int64 // in milliseconds
	user    uint32
	changes bool
	answer
}

// answer is a judge.Answer that takes less room.
type answer struct {
	size   int64
	last   int16
	class  uint16
	failed bool
}

const longestLine = 1 << 20 // bytes

// Read adds the lines of one log. Lines that cannot be understood are counted; an error is one of r.
func (l *Log) Read(name string, r io.Reader) error {
	lines := bufio.NewReaderSize(r, 1<<16)
	var long []byte
	for number := 1; ; {
		part, err := lines.ReadSlice('\n')
		if len(long) < longestLine {
			long = append(long, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s, line %d: %w", name, number, err)
		}
		if len(bytes.TrimSpace(long)) > 0 {
			l.line(name, number, long)
		}
		if err == io.EOF {
			return nil
		}
		number++
		long = long[:0]
	}
}

func (l *Log) line(name string, number int, text []byte) {
	l.Lines++
	line, err := Parse(text)
	if err != nil {
		if l.Bad++; l.FirstBad == "" {
			l.FirstBad = fmt.Sprintf("%s, line %d: %v", name, number, err)
		}
		return
	}
	key := l.Key.of(&line, l.buffer)
	if len(key) == 0 {
		l.Keyless++
		return
	}
	if l.Key == "" || l.Key == ClientAgent {
		l.buffer = key
	}
	l.add(&line, key)
}

func (l *Log) add(line *Line, key []byte) {
	if l.users == nil {
		l.users = map[string]uint32{}
	}
	user, known := l.users[string(key)]
	if !known {
		user = uint32(len(l.users))
		l.users[string(key)] = user
	}
	a := line.answer()
	l.entries = append(l.entries, entry{at: line.Time.UnixMilli(), user: user, changes: line.changes(),
		answer: answer{size: a.Size, last: a.Last, class: uint16(a.Class), failed: a.Failed}})
	l.sorted = false
}

// Users is how many users were told apart.
func (l *Log) Users() int { return len(l.users) }

// Requests is how many lines are replayed.
func (l *Log) Requests() int { return len(l.entries) }

// Failures is how many of them failed.
func (l *Log) Failures() (n int) {
	for i := range l.entries {
		if l.entries[i].failed {
			n++
		}
	}
	return n
}

// Span is the time from the first line to the last.
func (l *Log) Span() time.Duration {
	l.sort()
	if len(l.entries) == 0 {
		return 0
	}
	return time.Duration(l.entries[len(l.entries)-1].at-l.entries[0].at) * time.Millisecond
}

// sort puts the lines in the order of time: logs of several servers are read one after the other.
func (l *Log) sort() {
	if !l.sorted {
		slices.SortStableFunc(l.entries, func(a, b entry) int { return int(min(max(a.at-b.at, -1), 1)) })
		l.sorted = true
	}
}
