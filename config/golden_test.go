package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"yadokari/setting"
)

var update = flag.Bool("update", false, "write what is found as what is wanted")

// TestGolden reads every testdata/NAME.yaml and compares NAME.want: the settings that are not at their
// defaults, or the faults. A first line "# cluster: NAME" chooses a service cluster.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			got, failed := outcome(t, file)
			if failed != strings.HasPrefix(name, "error-") {
				t.Errorf("the name says otherwise of:\n%s", got)
			}
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".want", got)
		})
	}
}

func outcome(t *testing.T, file string) (text string, failed bool) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	cluster, _ := strings.CutPrefix(first, "# cluster: ")
	if cluster == first {
		cluster = ""
	}
	loaded, err := Parse(filepath.Base(file), content, cluster)
	if err != nil {
		return err.Error() + "\n", true
	}
	var b strings.Builder
	settings(&b, nil, reflect.ValueOf(loaded.Config), reflect.ValueOf(withDefaults(reflect.TypeFor[Config]())))
	return b.String(), false
}

func withDefaults(t reflect.Type) any {
	v := reflect.New(t)
	if t.Kind() == reflect.Struct && t != differencesType {
		setting.Defaults(v.Interface())
	}
	return v.Elem().Interface()
}

// settings writes PATH = VALUE for everything in v that is not as in def.
func settings(b *strings.Builder, path setting.Path, v, def reflect.Value) {
	switch {
	case v.Type() == differencesType:
		fmt.Fprintf(b, "%s = (differences)\n", path)
	case v.Kind() == reflect.Pointer && v.IsNil() || def.IsValid() && reflect.DeepEqual(v.Interface(), def.Interface()):
		if def.IsValid() && !reflect.DeepEqual(v.Interface(), def.Interface()) {
			fmt.Fprintf(b, "%s = (none)\n", path)
		}
	case v.Kind() == reflect.Pointer:
		if v.Elem().Kind() == reflect.Struct {
			fmt.Fprintf(b, "%s = (given)\n", path)
		}
		settings(b, path, v.Elem(), reflect.ValueOf(withDefaults(v.Type().Elem())))
	case v.Kind() == reflect.Struct:
		for _, m := range membersOf(v.Type()) {
			settings(b, below(path, m.key), v.FieldByIndex(m.index), def.FieldByIndex(m.index))
		}
	case v.Kind() == reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			settings(b, below(path, key.String()), v.MapIndex(key), reflect.ValueOf(withDefaults(v.Type().Elem())))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			settings(b, below(path, i), v.Index(i), reflect.ValueOf(withDefaults(v.Type().Elem())))
		}
	case v.Kind() == reflect.Slice:
		fmt.Fprintf(b, "%s = %q\n", path, v.Interface())
	default:
		fmt.Fprintf(b, "%s = %v\n", path, v.Interface())
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}
