package setting

import "strings"

// IsName says whether name is made of letters, digits, - _ and . alone, and is not . or .. : names stand in
// metrics, paths of the API and names of files.
func IsName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	})
}
