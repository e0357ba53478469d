package logshipper

import (
	"bytes"
	"regexp"
	"unicode/utf8"
)

// reading says how much of a file's end may be taken.
type reading int

const (
	growing reading = iota // more may come: only what is certainly complete
	quiet                  // nothing has come for a while: the last entry is complete, a line without end is not
	final                  // nothing will come: everything
)

// splitter cuts entries off the front of what was read.
type splitter struct {
	limit int            // the longest entry, in bytes, its newline counted
	start *regexp.Regexp // nil: every line is an entry
}

// next returns the length of the first entry of data; 0: it is not complete yet. cut tells that the entry
// goes on behind it, as it is longer than the limit. It always gets on when len(data) >= limit.
func (s *splitter) next(data []byte, how reading) (n int, cut bool) {
	first := bytes.IndexByte(data[:min(len(data), s.limit)], '\n') + 1
	if first == 0 {
		return s.unended(data, how)
	}
	if s.start == nil {
		return first, false
	}
	n = first
	for n < len(data) {
		length := bytes.IndexByte(data[n:], '\n') + 1
		if length == 0 {
			break
		}
		if s.start.Match(data[n : n+length-1]) {
			return n, false
		}
		if n+length > s.limit {
			return n, true // between two lines
		}
		n += length
	}
	rest := len(data) - n // of a line without an end
	switch {
	case n+rest >= s.limit && rest > 0:
		return n, true
	case how == final && rest > 0 && !s.start.Match(data[n:]):
		return n + rest, false
	case how == growing || how == quiet && rest > 0:
		return 0, false
	}
	return n, false
}

// unended is next for data without a newline within the limit.
func (s *splitter) unended(data []byte, how reading) (n int, cut bool) {
	if len(data) < s.limit {
		if how == final {
			return len(data), false
		}
		return 0, false
	}
	return wholeRunes(data[:s.limit]), true
}

// wholeRunes is the length of data without a character that its end cuts in two.
func wholeRunes(data []byte) int {
	for back := 1; back < utf8.UTFMax && back < len(data); back++ {
		i := len(data) - back
		if utf8.RuneStart(data[i]) {
			if !utf8.FullRune(data[i:]) {
				return i
			}
			break
		}
	}
	return len(data)
}
