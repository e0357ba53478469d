package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yadokari/config"
)

// TestUnitMakesTheDirectoriesOfTheExample: the unit's user could not make them.
func TestUnitMakesTheDirectoriesOfTheExample(t *testing.T) {
	unit, err := os.ReadFile("../manifests/systemd/yadokari-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.Load("../yadokari.example.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	made := directories(string(unit))
	a := file.Config.Agent
	paths := []string{a.Shutdown.Marker, a.Mail.Spool, a.Mail.Leftover.Dir}
	for _, l := range a.Logs {
		if paths = append(paths, l.Path, l.Checkpoints); l.To.Dir != nil {
			paths = append(paths, l.To.Dir.Path)
		}
	}
	for _, path := range paths {
		if !within(path, made) {
			t.Errorf("%s is in none of %v", path, made)
		}
	}
}

// directories are those that systemd makes before it starts the unit, for the unit's user.
func directories(unit string) (made []string) {
	for line := range strings.Lines(unit) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		above, is := map[string]string{"RuntimeDirectory": "/run", "StateDirectory": "/var/lib", "LogsDirectory": "/var/log"}[key]
		for name := range strings.FieldsSeq(value) {
			if is {
				made = append(made, filepath.Join(above, name))
			} else if strings.Contains(value, "/install -d -o app ") && strings.HasPrefix(name, "/") {
				made = append(made, name)
			}
		}
	}
	return made
}

func within(path string, directories []string) bool {
	for _, dir := range directories {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}
