package setting

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest returns the one of known that a person who wrote word most likely meant, or "" when none is
// close: at most one edit (Levenshtein, case aside) in three characters. Ties go to the earlier.
func Nearest(word string, known []string) string {
	best, bestDistance := "", len([]rune(word))/3+1
	lower := strings.ToLower(word)
	for _, candidate := range known {
		if abs(len(candidate)-len(word)) > 4*bestDistance { // more edits than could pay off
			continue
		}
		if d := levenshtein.ComputeDistance(lower, strings.ToLower(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
