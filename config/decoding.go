package config

import (
	"reflect"

	"yadokari/setting"
)

// Decode reads text, one YAML document, into the struct that into points to, as yadokari.yaml is read: defaults first,
// unknown keys refused, and if it has a method Validate, that is asked. It is for files beside the
// configuration. The name stands in for the path in messages; the error is a Faults.
func Decode(name string, text []byte, into any) error {
	f := newFinder(name)
	setting.Defaults(into)
	root := read(text, f)
	if root == nil {
		return f.faults.tidy()
	}
	newDecoder(f).decode(reflect.ValueOf(into).Elem(), root, nil)
	if v, ok := into.(interface{ Validate() error }); ok {
		f.judge(root, v.Validate())
	}
	return f.faults.tidy()
}
