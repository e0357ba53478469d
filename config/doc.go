// Package config reads yadokari.yaml as a whole: it merges a service cluster's differences over the
// rest, decodes the result into the parts' own Config structs, lets each part validate itself, and
// names file, line and column of everything that is wrong.
//
// The structs are the schema. What the file may say, the JSON Schema for editors (Schema) and the
// reference in docs/configuration.md (Reference) all come from the same fields, tags and comments.
package config

//go:generate go test -run TestGenerated -update .
