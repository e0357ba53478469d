package config

import (
	"encoding"
	"reflect"
	"strings"
	"time"
)

var (
	differencesType = reflect.TypeFor[Differences]()
	durationType    = reflect.TypeFor[time.Duration]()
	unmarshalType   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// member is one key that a struct has in the file.
type member struct {
	key      string
	field    reflect.StructField
	owner    reflect.Type // the struct that declares the field: another one when it is inlined
	index    []int        // for reflect.Value.FieldByIndex
	fallback string       // its default, in the notation of the file
	hasDef   bool
	required bool
	enum     []string // the words it may be, when it may not be any
}

// membersOf lists the keys of struct t in the order of its fields, with inlined structs flattened.
func membersOf(t reflect.Type) []member {
	var members []member
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || key == "-" {
			continue
		}
		if options == "inline" {
			for _, m := range membersOf(f.Type) {
				m.index = append([]int{i}, m.index...)
				members = append(members, m)
			}
			continue
		}
		m := member{key: key, field: f, owner: t, index: []int{i}, required: f.Tag.Get("required") == "true"}
		m.fallback, m.hasDef = f.Tag.Lookup("default")
		if words, ok := f.Tag.Lookup("enum"); ok {
			m.enum = strings.Split(words, ",")
		}
		members = append(members, m)
	}
	return members
}

// isText says whether values of t are written as one scalar that t parses itself.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(unmarshalType) }
