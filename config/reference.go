package config

import (
	"fmt"
	"reflect"
	"strings"

	"yadokari/setting"
)

// Reference returns docs/configuration.md: every key of the file with its meaning, kind and default, in
// Markdown, made from the same structs and comments as Schema.
func Reference() (string, error) {
	c, err := embeddedComments()
	if err != nil {
		return "", err
	}
	return referenceWith(c), nil
}

const referenceIntro = `# Configuration reference

<!-- Made by "go generate ./config" from the Config structs and their comments. Change those, not this. -->

Yadokari reads one file, ` + "`yadokari.yaml`" + `, or the one named with ` + "`--config`" + ` or in ` + "`YADOKARI_CONFIG`" + `.
[yadokari.example.yaml](../yadokari.example.yaml) is a file to start from.

- ` + "`yadokari check`" + ` says what a file means, and names file, line and column of everything that is wrong.
  An unknown key is an error. ` + "`yadokari check --deep`" + ` also reads the files that it names.
- ` + "`yadokari schema > yadokari.schema.json`" + ` writes a JSON Schema for editors. Put
  ` + "`# yaml-language-server: $schema=yadokari.schema.json`" + ` in the file's first line.

## Notation

| Kind | Written | Meaning |
|---|---|---|
| duration | ` + "`200ms`, `10s`, `1h30m`" + ` | numbers with their units; ` + "`0s`" + ` where a key says what that means |
| size | ` + "`512B`, `64KiB`, `10GiB`" + ` | bytes, in binary units; decimal ones (kB, MB) are refused |
| share | ` + "`0.1%`, `5%`" + ` | a part of a whole, 0% to 100%, always with the sign |
| growth | ` + "`20%`, `150%`" + ` | by how much more, 0% to 10000%, always with the sign |

A key that is left out, or has no value, keeps its default. A section whose default is "none" is off until it
is written; ` + "`{}`" + ` takes it with all its defaults. Where a single value is optional, ` + "`null`" + ` means "not at all".
Anchors, aliases and ` + "`<<`" + ` work as usual in YAML; a file holds one document.

## Service clusters

Below ` + "`clusters`" + ` stands only what differs in each service cluster. ` + "`--cluster NAME`" + ` merges it over the rest:

- mappings merge, key by key, at any depth;
- ` + "`null`" + ` takes a key away, so that its default holds again;
- a list replaces the list, but
- lists in which every item has a ` + "`name`" + ` (routes) merge by that name, and new names go to the end.

The file must be valid without a cluster as well; ` + "`yadokari check`" + ` looks at both.
`

type referenceWriter struct {
	strings.Builder
	comments comments
}

func referenceWith(c comments) string {
	w := &referenceWriter{comments: c}
	w.WriteString(referenceIntro)
	w.section(nil, reflect.TypeFor[Config]())
	return w.String()
}

// section writes struct t, whose keys stand below path, and then the structs within it.
func (w *referenceWriter) section(path setting.Path, t reflect.Type) {
	title := "## The file"
	if len(path) > 0 {
		title = "## `" + path.String() + "`"
	}
	fmt.Fprintf(w, "\n%s\n\n%s\n\n| Key | Kind | Default | Meaning |\n|---|---|---|---|\n", title, w.comments.ofType(t, "`"))
	members := membersOf(t)
	for _, m := range members {
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", m.key, w.kindOf(path, m), w.defaultOf(m),
			strings.ReplaceAll(w.comments.ofField(m, "`"), "|", `\|`))
	}
	for _, m := range members {
		if inside, t := sectionOf(path, m); t != nil {
			w.section(inside, t)
		}
	}
}

// sectionOf returns the struct that key m leads to and its path, or nil.
func sectionOf(path setting.Path, m member) (setting.Path, reflect.Type) {
	path, t := below(path, m.key), m.field.Type
	switch t.Kind() {
	case reflect.Map:
		path, t = below(path, "NAME"), t.Elem()
	case reflect.Slice:
		path, t = below(path, 0), t.Elem()
	case reflect.Pointer:
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == differencesType {
		return path, nil
	}
	return path, t
}

func (w *referenceWriter) kindOf(path setting.Path, m member) string {
	if m.field.Type.Kind() == reflect.Map && m.field.Type.Elem() == differencesType {
		return "by name: the keys of the file"
	}
	if inside, t := sectionOf(path, m); t != nil {
		link := fmt.Sprintf("[section](#%s)", anchorOf(inside))
		switch {
		case m.field.Type.Kind() == reflect.Map:
			return "by name: " + link
		case m.field.Type.Kind() == reflect.Slice:
			return "list of: " + link
		case isText(t):
			return "text or " + link
		}
		return link
	}
	if m.enum != nil {
		return "`" + strings.Join(m.enum, "` or `") + "`"
	}
	return kindName(m.field.Type)
}

func kindName(t reflect.Type) string {
	switch t {
	case durationType:
		return "duration"
	case reflect.TypeFor[setting.Size]():
		return "size"
	case reflect.TypeFor[setting.Share]():
		return "share"
	case reflect.TypeFor[setting.Growth]():
		return "growth"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindName(t.Elem()) + ", optional"
	case reflect.Slice:
		return "list of " + kindName(t.Elem())
	case reflect.Bool:
		return "`true` or `false`"
	case reflect.String:
		return "text"
	default:
		return "whole number"
	}
}

func (w *referenceWriter) defaultOf(m member) string {
	t := m.field.Type
	switch {
	case m.hasDef && t.Kind() == reflect.Slice:
		return "`[" + strings.ReplaceAll(m.fallback, ",", ", ") + "]`"
	case m.hasDef:
		return "`" + m.fallback + "`"
	case m.required:
		return "**required**"
	case t.Kind() == reflect.Struct:
		return "as below"
	default:
		return "none"
	}
}

// anchorOf is the name that Markdown renderers give to the heading of a section: small letters and
// digits, the rest left out.
func anchorOf(path setting.Path) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, path.String())
}
