package setting

import "unicode"

// Nearest returns the one of known that a person who wrote word most likely meant, or "" when none is
// close: at most one slip in three characters, and at least one. A slip is a character too many, too
// few, another one, or two that changed places; case does not count. Ties go to the earlier.
func Nearest(word string, known []string) string {
	wrote := lower(word)
	best, limit := "", max(1, len(wrote)/3)
	for _, candidate := range known {
		meant := lower(candidate)
		if difference := len(meant) - len(wrote); difference > limit || -difference > limit {
			continue
		}
		if slips := distance(wrote, meant); slips <= limit && slips < max(len(wrote), len(meant)) {
			best, limit = candidate, slips-1
		}
	}
	return best
}

func lower(text string) []rune {
	runes := []rune(text)
	for i, r := range runes {
		runes[i] = unicode.ToLower(r)
	}
	return runes
}

// distance is the number of slips that turn a into b: the optimal string alignment distance, after
// Damerau, "A technique for computer detection and correction of spelling errors", CACM 7 (1964).
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			other := 1
			if a[i] == b[j] {
				other = 0
			}
			row[j+1] = min(last[j]+other, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
