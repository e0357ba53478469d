package setting

import (
	"fmt"
	"reflect"
)

// Defaults sets every field of the struct that cfg points to which has a `default` tag, and of the
// structs inside it. A pointer to a struct stays nil: leaving such a section out means something.
// It panics when cfg is not a pointer to a struct or a tag cannot be parsed into its field, as both
// are mistakes in the program, not in its input.
func Defaults(cfg any) {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("setting: Defaults of a %T, which is not a pointer to a struct", cfg))
	}
	fill(v.Elem())
}

func fill(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		if text, ok := field.Tag.Lookup("default"); ok {
			if err := ParseInto(v.Field(i), text); err != nil {
				panic(fmt.Sprintf("setting: default of %s.%s: %v", v.Type(), field.Name, err))
			}
		} else if field.Type.Kind() == reflect.Struct {
			fill(v.Field(i))
		}
	}
}
