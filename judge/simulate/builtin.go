package simulate

import (
	"embed"
	"slices"
	"strings"
)

//go:embed scenarios/*.yaml
var files embed.FS

// Builtin is the text of a scenario that comes with the program.
func Builtin(name string) (text []byte, ok bool) {
	text, err := files.ReadFile("scenarios/" + name + ".yaml")
	return text, err == nil
}

// Builtins are their names, in alphabetical order.
func Builtins() []string {
	entries, err := files.ReadDir("scenarios")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	slices.Sort(names)
	return names
}
