package keys

import "strings"

// Value is the value of the first cookie of that name in the lines of a Cookie header (RFC 6265, section
// 4.2.1), without the copies that http.Request.Cookies makes.
func Value(lines []string, name string) string {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if n, value, ok := strings.Cut(strings.TrimLeft(pair, " "), "="); ok && n == name {
				return strings.Trim(value, `"`)
			}
		}
	}
	return ""
}

// Cut takes the cookies of which gone is true out of the lines of a Cookie header; every other byte
// stays as it is. Without such a cookie it returns the lines themselves. A line of which nothing is
// left is left out; nil says that no line is.
func Cut(lines []string, gone func(name string) bool) []string {
	for i, line := range lines {
		if rest, cut := cutLine(line, gone); cut {
			return cutRest(lines, i, rest, gone)
		}
	}
	return lines
}

// cutRest is Cut from the first line on that changes.
func cutRest(lines []string, first int, rest string, gone func(string) bool) []string {
	kept := append(make([]string, 0, len(lines)), lines[:first]...)
	for i := first; ; {
		if rest != "" {
			kept = append(kept, rest)
		}
		if i++; i == len(lines) {
			break
		}
		rest, _ = cutLine(lines[i], gone)
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// cutLine cuts cookies out of one line, each with what parts it from the next one, or, the last, from
// the one before.
func cutLine(line string, gone func(string) bool) (rest string, cut bool) {
	var kept strings.Builder
	for at := 0; at <= len(line); {
		end := strings.IndexByte(line[at:], ';')
		next := len(line) + 1
		if end >= 0 {
			next = at + end + 1
		}
		pair := line[at:min(next, len(line))]
		name, _, _ := strings.Cut(strings.TrimSuffix(pair, ";"), "=")
		if gone(strings.Trim(name, " \t")) {
			cut = true
		} else {
			kept.WriteString(pair)
		}
		at = next
	}
	if !cut {
		return line, false
	}
	return tidy(kept.String(), line), true
}

// tidy takes away what parted a cookie that stood at an end of the line from its neighbour.
func tidy(rest, line string) string {
	if !strings.HasSuffix(strings.TrimRight(line, " \t"), ";") {
		rest = strings.TrimSuffix(rest, ";")
	}
	if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
		rest = strings.TrimLeft(rest, " \t")
	}
	return rest
}
