package setting

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	durationType  = reflect.TypeFor[time.Duration]()
	unmarshalType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// ParseInto sets v, which must be addressable, to what text says in the notation of the file: types
// with UnmarshalText parse themselves, durations are written 1h30m, lists (of defaults) are split at
// commas, and a pointer is made to point at a new value. The error is, or wraps, a *Problem without
// a path.
func ParseInto(v reflect.Value, text string) error {
	if v.CanAddr() && v.Addr().Type().Implements(unmarshalType) {
		return unmarshal(v.Addr().Interface().(encoding.TextUnmarshaler), text)
	}
	if v.Type() == durationType {
		d, err := parseDuration(text)
		v.SetInt(int64(d))
		return err
	}
	switch v.Kind() {
	case reflect.Pointer:
		value := reflect.New(v.Type().Elem())
		if err := ParseInto(value.Elem(), text); err != nil {
			return err
		}
		v.Set(value)
		return nil
	case reflect.Slice:
		return parseList(v, text)
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		return parseBool(v, text)
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Int8:
		return parseInt(v, text)
	}
	return &Problem{What: fmt.Sprintf("a %s cannot be written as text", v.Type())}
}

func unmarshal(v encoding.TextUnmarshaler, text string) error {
	err := v.UnmarshalText([]byte(text))
	if p := (*Problem)(nil); err == nil || errors.As(err, &p) {
		return err
	}
	return &Problem{What: err.Error()}
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil || d < 0 {
		return 0, &Problem{
			What:   fmt.Sprintf("%q is not a duration", text),
			Remedy: "write numbers with ms, s, m or h, as in 10s or 1h30m",
		}
	}
	return d, nil
}

func parseBool(v reflect.Value, text string) error {
	if text != "true" && text != "false" {
		return &Problem{What: fmt.Sprintf("%q is neither true nor false", text), Remedy: "write true or false"}
	}
	v.SetBool(text == "true")
	return nil
}

func parseInt(v reflect.Value, text string) error {
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err != nil {
		return &Problem{What: fmt.Sprintf("%q is not a whole number", text), Remedy: "write digits only, as in 500"}
	}
	v.SetInt(n)
	return nil
}

func parseList(v reflect.Value, text string) error {
	parts := strings.Split(text, ",")
	list := reflect.MakeSlice(v.Type(), len(parts), len(parts))
	for i, part := range parts {
		if err := ParseInto(list.Index(i), strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}
