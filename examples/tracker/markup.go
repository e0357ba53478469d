package tracker

import (
	"html/template"
	"regexp"
	"strings"
)

// inline marks within a line, after escaping: `code`, **strong**, [[Page]] and [[Page|words]].
var inline = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*|\\[\\[([A-Za-z0-9][A-Za-z0-9_.-]{0,99})(?:\\|([^\\]|]+))?\\]\\]")

// markup turns a wiki page's text into HTML. It knows headings (# to ####), lists (- ), preformatted
// text (indented by four spaces), paragraphs, and the inline marks. Everything is escaped first, so
// no text can become a tag.
func markup(text string) template.HTML {
	var out strings.Builder
	out.Grow(len(text) + len(text)/4)
	open := ""
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		kind, content := lineKind(line)
		if kind != open {
			closeBlock(&out, open)
			openBlock(&out, kind)
			open = kind
		}
		writeLine(&out, kind, content)
	}
	closeBlock(&out, open)
	return template.HTML(out.String()) //nolint:gosec // built from escaped text above
}

// lineKind says which element a line belongs to, and what of it is content.
func lineKind(line string) (kind, content string) {
	switch {
	case strings.HasPrefix(line, "    "):
		return "pre", line[4:]
	case strings.TrimSpace(line) == "":
		return "", ""
	case strings.HasPrefix(line, "- "):
		return "ul", line[2:]
	}
	for level, mark := range []string{"# ", "## ", "### ", "#### "} {
		if strings.HasPrefix(line, mark) {
			return []string{"h2", "h3", "h4", "h5"}[level], line[len(mark):]
		}
	}
	return "p", line
}

func openBlock(out *strings.Builder, kind string) {
	if kind == "pre" || kind == "ul" || kind == "p" {
		out.WriteString("<" + kind + ">")
	}
}

func closeBlock(out *strings.Builder, kind string) {
	if kind == "pre" || kind == "ul" || kind == "p" {
		out.WriteString("</" + kind + ">\n")
	}
}

func writeLine(out *strings.Builder, kind, content string) {
	escaped := template.HTMLEscapeString(content)
	switch kind {
	case "":
	case "pre":
		out.WriteString(escaped + "\n")
	case "ul":
		out.WriteString("<li>" + marks(escaped) + "</li>")
	case "p":
		out.WriteString(marks(escaped) + "\n")
	default:
		out.WriteString("<" + kind + ">" + marks(escaped) + "</" + kind + ">\n")
	}
}

func marks(escaped string) string {
	return inline.ReplaceAllStringFunc(escaped, func(found string) string {
		m := inline.FindStringSubmatch(found)
		switch {
		case m[1] != "":
			return "<code>" + m[1] + "</code>"
		case m[2] != "":
			return "<strong>" + m[2] + "</strong>"
		case m[4] != "":
			return `<a href="/wiki/` + m[3] + `">` + m[4] + "</a>"
		}
		return `<a href="/wiki/` + m[3] + `">` + m[3] + "</a>"
	})
}
