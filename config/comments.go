package config

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// commentsJSON holds the comments of all structs and fields the file is made of, as comments are not
// in a program. `go generate` writes it from the source; a test fails when it is stale.
//
//go:embed comments.json
var commentsJSON []byte

// comments are what the source says of structs and fields: "gateway.Config" and
// "gateway.Config.Listen" to text on one line.
type comments map[string]string

func embeddedComments() (comments, error) {
	var c comments
	if err := json.Unmarshal(commentsJSON, &c); err != nil {
		return nil, fmt.Errorf("embedded comments: %w", err)
	}
	return c, nil
}

// nameOfType is how a struct is called in comments and in the JSON Schema: its package's path within
// the module, and its name.
func nameOfType(t reflect.Type) string {
	_, path, _ := strings.Cut(t.PkgPath(), "/")
	return path + "." + t.Name()
}

var goWord = regexp.MustCompile(`\b[A-Z]\w*\b`)

// ofField returns what is said of a key. Fields are called by their keys, in the given quotes.
func (c comments) ofField(m member, quote string) string {
	return inKeys(c[nameOfType(m.owner)+"."+m.field.Name], m.owner, quote)
}

// ofType returns what is said of a struct. A Config, which every part has one of, is called a section.
func (c comments) ofType(t reflect.Type, quote string) string {
	text := c[nameOfType(t)]
	if rest, ok := strings.CutPrefix(text, "Config "); ok {
		text = "This section " + rest
	}
	return inKeys(text, t, quote)
}

func inKeys(text string, t reflect.Type, quote string) string {
	keys := map[string]string{}
	for _, m := range membersOf(t) {
		keys[m.field.Name] = m.key
	}
	return goWord.ReplaceAllStringFunc(text, func(word string) string {
		if key := keys[word]; key != "" {
			return quote + key + quote
		}
		return word
	})
}
