package config

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"yadokari/setting"
)

// Schema returns the JSON Schema (draft 2020-12) of the file, made from the Config structs: keys, kinds,
// defaults, and the fields' comments as descriptions.
//
// The structs are walked here, not by the library's own inference, which follows `json` tags and knows
// neither defaults, durations and sizes nor a section that may be written as one value. The library
// gives the vocabulary, and checks in the tests that the schema means what it should.
func Schema() (*jsonschema.Schema, error) {
	c, err := embeddedComments()
	if err != nil {
		return nil, err
	}
	b := schemaBuilder{comments: c, defs: notations()}
	root := b.object(reflect.TypeFor[Config](), false)
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "yadokari.yaml"
	root.Defs = b.defs
	return root, nil
}

// notations are the values with a notation of their own. A number without a unit is a size in bytes;
// a duration without one can only be 0.
func notations() map[string]*jsonschema.Schema {
	zero := 0.0
	return map[string]*jsonschema.Schema{
		"duration": {
			Types: []string{"string", "integer"}, Minimum: &zero, Maximum: &zero,
			Pattern:     `^(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`,
			Description: "A duration: numbers with ms, s, m or h, as in 10s or 1h30m.",
		},
		"size": {
			Types: []string{"string", "integer"}, Minimum: &zero,
			Pattern:     `^[0-9]+ *(B|KiB|MiB|GiB)?$`,
			Description: "A size in bytes: a whole number with B, KiB, MiB or GiB, as in 64MiB.",
		},
		"share": {
			Type:        "string",
			Pattern:     `^(100(\.0*)?|[0-9]{1,2}(\.[0-9]*)?|\.[0-9]+) *%$`,
			Description: "A share: 0% to 100%, with the per cent sign.",
		},
		"growth": {
			Type:        "string",
			Pattern:     `^(10000(\.0*)?|[0-9]{1,4}(\.[0-9]*)?|\.[0-9]+) *%$`,
			Description: "How much more: 0% to 10000%, with the per cent sign.",
		},
	}
}

type schemaBuilder struct {
	comments comments
	defs     map[string]*jsonschema.Schema
}

// object describes struct t. A cluster's differences need no key, and may be null to take one away.
func (b *schemaBuilder) object(t reflect.Type, differences bool) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", Description: b.comments.ofType(t, ""), AdditionalProperties: nothing(),
		Properties: map[string]*jsonschema.Schema{},
	}
	for _, m := range membersOf(t) {
		if differences && m.field.Type.Kind() == reflect.Map && m.field.Type.Elem() == differencesType {
			continue // clusters do not nest
		}
		s.PropertyOrder = append(s.PropertyOrder, m.key)
		s.Properties[m.key] = b.property(m, differences)
		if m.required && (!differences || m.key == "name") { // lists merge by it
			s.Required = append(s.Required, m.key)
		}
	}
	return s
}

func (b *schemaBuilder) property(m member, differences bool) *jsonschema.Schema {
	s := b.value(m.field.Type, differences)
	for _, word := range m.enum {
		s.Enum = append(s.Enum, word)
	}
	if k := m.field.Type.Kind(); differences || k == reflect.Pointer && m.field.Type.Elem().Kind() != reflect.Struct {
		s = orNull(s)
	}
	s.Description = b.comments.ofField(m, "")
	if m.hasDef {
		s.Default = defaultJSON(m.field.Type, m.fallback)
	}
	return s
}

func (b *schemaBuilder) value(t reflect.Type, differences bool) *jsonschema.Schema {
	switch t {
	case durationType:
		return reference("duration")
	case reflect.TypeFor[setting.Size]():
		return reference("size")
	case reflect.TypeFor[setting.Share]():
		return reference("share")
	case reflect.TypeFor[setting.Growth]():
		return reference("growth")
	case differencesType:
		return b.define("differences", reflect.TypeFor[Config](), true)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return b.value(t.Elem(), differences)
	case reflect.Struct:
		name := nameOfType(t)
		if differences {
			name = "differences." + name
		}
		s := b.define(name, t, differences)
		if isText(t) {
			return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, s}}
		}
		return s
	case reflect.Map:
		inside := b.value(t.Elem(), differences)
		if differences {
			inside = orNull(inside)
		}
		return &jsonschema.Schema{Type: "object", AdditionalProperties: inside}
	case reflect.Slice:
		return &jsonschema.Schema{Type: "array", Items: b.value(t.Elem(), differences)}
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.String:
		return &jsonschema.Schema{Type: "string"}
	default:
		return &jsonschema.Schema{Type: "integer"}
	}
}

// define puts struct t under $defs once, and refers to it.
func (b *schemaBuilder) define(name string, t reflect.Type, differences bool) *jsonschema.Schema {
	name = strings.ReplaceAll(name, "/", ".") // a slash has a meaning in references
	if b.defs[name] == nil {
		b.defs[name] = &jsonschema.Schema{} // a struct may hold its own kind
		b.defs[name] = b.object(t, differences)
	}
	return reference(name)
}

func reference(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }

// nothing is the schema false.
func nothing() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

func orNull(s *jsonschema.Schema) *jsonschema.Schema {
	if s.Ref != "" || s.AnyOf != nil {
		return &jsonschema.Schema{AnyOf: append([]*jsonschema.Schema{{Type: "null"}}, s)}
	}
	s.Types, s.Type = []string{s.Type, "null"}, ""
	if s.Enum != nil {
		s.Enum = append(s.Enum, nil)
	}
	return s
}

// defaultJSON is a default tag as JSON.
func defaultJSON(t reflect.Type, text string) json.RawMessage {
	var value any = text
	switch {
	case t.Kind() == reflect.Slice:
		parts := strings.Split(text, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		value = parts
	case t.Kind() == reflect.Bool:
		value = text == "true"
	case t != durationType && !isText(t) && t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			value = n
		}
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil // strings, numbers and lists of strings always can be
	}
	return encoded
}
