package mirror

import (
	"bytes"
	"hash/maphash"
)

// The bounds of a comparison of texts: how far it looks for the place where both go on alike, and
// how many places that differ it looks at. They bound its time whatever the texts are.
const (
	reachSquare = 24   // tokens replaced by others
	reachLine   = 4096 // tokens that only one side has
	sameAgain   = 4    // tokens in a row that count as going on alike
	maxRuns     = 512
	maxContext  = 96 // bytes before a difference that name it
)

// token is a word, a run of white space's place, or one other character of a text.
type token struct {
	part
	hash uint64
}

// tokens splits text into words (letters, digits, - and _, and all bytes outside ASCII) and single
// other characters. White space only separates: one text may be indented in another way.
func tokens(text []byte, seed maphash.Seed) []token {
	list := make([]token, 0, len(text)/4+4)
	for i := 0; i < len(text); {
		from := i
		for i < len(text) && isWord(text[i]) {
			i++
		}
		if i == from {
			i++
			if isSpace(text[from]) {
				continue
			}
		}
		list = append(list, token{partOf(from, i), maphash.Bytes(seed, text[from:i])})
	}
	return list
}

func isWord(c byte) bool  { return isAlnum(c) || c == '-' || c == '_' || c >= 0x80 }
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// textDiff walks two token lists side by side.
type textDiff struct {
	oldText, newText []byte
	old, new         []token
	oldCut, newCut   bool
	out              *differences
}

// compareText notes where new differs from old. Each run of differing tokens is named by what stands
// before it: inside a page, the tag or the text since the tag. That name is the same on the next
// answer although the token is not, so noise can be learned by it.
func compareText(old, new []byte, oldCut, newCut bool, seed maphash.Seed, out *differences) {
	t := textDiff{oldText: old, newText: new, old: tokens(old, seed), new: tokens(new, seed), oldCut: oldCut, newCut: newCut, out: out}
	t.old, t.new = dropCut(t.old, oldCut), dropCut(t.new, newCut)
	i, j := 0, 0
	for runs := 0; ; runs++ {
		for i < len(t.old) && j < len(t.new) && t.old[i].hash == t.new[j].hash {
			i, j = i+1, j+1
		}
		if i == len(t.old) && (oldCut || j == len(t.new)) || j == len(t.new) && newCut {
			return
		}
		di, dj, ok := t.resume(i, j)
		if !ok || runs == maxRuns {
			di, dj = len(t.old)-i, len(t.new)-j
		}
		t.note(i, i+di, j, j+dj)
		i, j = i+di, j+dj
		if i == len(t.old) && j == len(t.new) {
			return
		}
	}
}

// dropCut takes off the last token of a text that was cut off: it may be half a word.
func dropCut(list []token, cut bool) []token {
	if cut && len(list) > 0 {
		return list[:len(list)-1]
	}
	return list
}

// resume finds how many tokens to pass over on each side until both go on alike: first a few tokens
// replaced by a few others, then a longer run that only one side has.
func (t *textDiff) resume(i, j int) (di, dj int, ok bool) {
	for sum := 1; sum <= 2*reachSquare; sum++ {
		for di = max(0, sum-reachSquare); di <= min(sum, reachSquare); di++ {
			if t.alike(i+di, j+sum-di) {
				return di, sum - di, true
			}
		}
	}
	for d := reachSquare; d < reachLine; d++ {
		if t.alike(i, j+d) {
			return 0, d, true
		}
		if t.alike(i+d, j) {
			return d, 0, true
		}
	}
	return 0, 0, false
}

func (t *textDiff) alike(i, j int) bool {
	if i > len(t.old) || j > len(t.new) {
		return false
	}
	for k := range sameAgain {
		oldEnds, newEnds := i+k == len(t.old), j+k == len(t.new)
		if oldEnds || newEnds {
			return oldEnds && newEnds || k > 0 && (oldEnds && t.oldCut || newEnds && t.newCut)
		}
		if t.old[i+k].hash != t.new[j+k].hash {
			return false
		}
	}
	return true
}

func (t *textDiff) note(i, iEnd, j, jEnd int) {
	oldSpan, newSpan := covers(t.old, i, iEnd, len(t.oldText)), covers(t.new, j, jEnd, len(t.newText))
	t.out.body(kindText, placeOf(t.oldText, oldSpan.from), oldSpan, newSpan)
}

// covers is the part of the text that the tokens from i to end stand in.
func covers(list []token, i, end, length int) span {
	if i < end {
		return span{int(list[i].from), int(list[end-1].to)}
	}
	if i < len(list) {
		return span{int(list[i].from), int(list[i].from)}
	}
	return span{length, length}
}

// placeOf names the place at in text by what stands before it: from the last < that is near, or
// else from the start of the line. Tokens that look like identifiers or hold digits stand as {}.
func placeOf(text []byte, at int) []byte {
	before := text[max(0, at-2*maxContext):at]
	if tag := bytes.LastIndexByte(bytes.TrimRight(before, "<"), '<'); tag >= 0 {
		before = before[tag:]
	} else if line := bytes.LastIndexByte(before, '\n'); line >= 0 {
		before = before[line+1:]
	}
	name := make([]byte, 0, maxContext)
	for i := 0; i < len(before); {
		from, digit := i, false
		for i < len(before) && isWord(before[i]) {
			digit = digit || before[i] >= '0' && before[i] <= '9'
			i++
		}
		switch {
		case i == from && isSpace(before[i]):
			if i++; len(name) > 0 && name[len(name)-1] != ' ' {
				name = append(name, ' ')
			}
		case i == from:
			name = append(name, before[i])
			i++
		case digit && i-from > 2 || i-from >= 24: // h1 and td2 stay, ids go
			name = append(name, "{}"...)
		default:
			name = append(name, before[from:i]...)
		}
	}
	return bytes.TrimSpace(name[max(0, len(name)-maxContext):])
}
