package config

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestGenerated fails when a file made from the source is stale. `go generate ./config` makes it anew.
func TestGenerated(t *testing.T) {
	fresh := readComments(t)
	encoded, err := json.MarshalIndent(fresh, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"comments.json":            string(encoded) + "\n",
		"../docs/configuration.md": referenceWith(fresh),
	} {
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s is stale (%v): run go generate ./config", file, err)
		}
	}
}

// TestEveryKeyIsDocumented keeps the promise that every key's meaning can be looked up.
func TestEveryKeyIsDocumented(t *testing.T) {
	c, err := embeddedComments()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range structs(reflect.TypeFor[Config]()) {
		for _, m := range membersOf(s) {
			if m.key == "" {
				t.Errorf("%s.%s has no yaml key", nameOfType(s), m.field.Name)
			}
			if text := c.ofField(m, ""); !strings.HasSuffix(text, ".") {
				t.Errorf("%s.%s: the comment is not a sentence: %q", nameOfType(s), m.field.Name, text)
			}
		}
	}
}

func readComments(t *testing.T) comments {
	t.Helper()
	found := comments{}
	parsed := map[string]comments{}
	for _, s := range structs(reflect.TypeFor[Config]()) {
		_, path, _ := strings.Cut(s.PkgPath(), "/")
		if parsed[path] == nil {
			parsed[path] = commentsOf(t, path)
		}
		maps.Copy(found, only(parsed[path], nameOfType(s)))
	}
	return found
}

// structs lists t and every struct its fields hold, inlined ones too.
func structs(t reflect.Type) []reflect.Type {
	seen := map[reflect.Type]bool{}
	var all []reflect.Type
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice:
			visit(t.Elem())
		case reflect.Struct:
			if seen[t] || t == differencesType {
				return
			}
			seen[t] = true
			all = append(all, t)
			for i := range t.NumField() {
				visit(t.Field(i).Type)
			}
		}
	}
	visit(t)
	return all
}

func only(from comments, typeName string) comments {
	kept := comments{}
	for key, text := range from {
		if key == typeName || strings.HasPrefix(key, typeName+".") {
			kept[key] = text
		}
	}
	return kept
}

// commentsOf reads the comments of all structs of the package at path, from the top of the module.
func commentsOf(t *testing.T, path string) comments {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(path), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := comments{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			if d, ok := declaration.(*ast.GenDecl); ok && d.Tok == token.TYPE {
				for _, spec := range d.Specs {
					addType(found, path, d, spec.(*ast.TypeSpec))
				}
			}
		}
	}
	return found
}

func addType(found comments, path string, d *ast.GenDecl, spec *ast.TypeSpec) {
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	name := path + "." + spec.Name.Name
	text := d.Doc
	if spec.Doc != nil {
		text = spec.Doc
	}
	found[name] = plain(text)
	for _, field := range s.Fields.List {
		for _, n := range field.Names {
			if n.IsExported() {
				found[name+"."+n.Name] = plain(field.Doc)
			}
		}
	}
}

// plain is the comment as one line.
func plain(group *ast.CommentGroup) string { return strings.Join(strings.Fields(group.Text()), " ") }
