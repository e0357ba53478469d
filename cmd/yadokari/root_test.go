package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"yadokari/config"
)

// yadokari runs one command line in memory.
func yadokari(t *testing.T, variables map[string]string, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &environment{in: strings.NewReader(""), out: &stdout, err: &stderr, getenv: func(name string) string { return variables[name] }}
	code = run(context.Background(), env, args)
	return code, stdout.String(), stderr.String()
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "yadokari.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const valid = `gateway:
  listen: "127.0.0.1:8080"
  backends:
    vm: {servers: ["http://a"]}
    containers: {servers: ["http://b"]}
  routes:
    - {name: wiki, match: [/wiki/], shift: {stages: [1%, 100%], hold: 5m}}
    - {name: rest, match: [/]}
clusters: {west: {app: western}, east: {}}
`

func TestWrongUsageExitsWithTwoAndOneLine(t *testing.T) {
	path := file(t, valid)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{}, "a verb is missing"},
		{[]string{"chekc"}, `unknown verb "chekc", did you mean check?`},
		{[]string{"frobnicate"}, "known are "},
		{[]string{"check", "--depe"}, "unknown flag: --depe"},
		{[]string{"check", "more"}, "more"},
		{[]string{"check", "-o", "yaml"}, "neither table nor json"},
		{[]string{"check", "-c"}, "needs an argument"},
		{[]string{"completion"}, "yadokari completion --help"},
		{[]string{"completion", "dos"}, `"dos"`},
		{[]string{"check", "-c", path, "--cluster", "wset"}, path + `:9:1: clusters: no service cluster is named "wset" (did you mean west?)`},
		{[]string{"check", "-c", filepath.Join(t.TempDir(), "none")}, "cannot be read: no such file or directory"},
	} {
		code, out, err := yadokari(t, nil, c.args...)
		if code != 2 || out != "" || strings.Count(err, "\n") != 1 || !strings.Contains(err, c.want) {
			t.Errorf("%q: exit %d, out %q, err %q", c.args, code, out, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for err, want := range map[error]int{
		errors.New("failed"):                                1,
		usagef("wrong"):                                     2,
		fmt.Errorf("wrapped: %w", usagef("wrong")):          2,
		fmt.Errorf("wrapped: %w", context.Canceled):         1,
		errors.Join(config.Faults{{File: "f"}}.Unwrap()...): 1,
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
	if got := exitCode(fmt.Errorf("gateway: %w", config.Faults{{File: "f"}})); got != 2 {
		t.Errorf("wrapped faults: got %d", got)
	}
}

// TestVerbsThatFail runs verbs made for the test: what RunE returns is told apart from usage.
func TestVerbsThatFail(t *testing.T) {
	for want, failure := range map[int]error{0: nil, 1: errors.New("two\nlines"), 2: usagef("no such route")} {
		var stderr bytes.Buffer
		env := &environment{in: strings.NewReader(""), out: &stderr, err: &stderr, getenv: func(string) string { return "" }}
		root := newRoot(env)
		root.AddCommand(group(&cobra.Command{Use: "trial"}, &cobra.Command{Use: "start", RunE: func(*cobra.Command, []string) error { return failure }}))
		root.SetArgs([]string{"trial", "start"})
		if got := execute(context.Background(), env, root); got != want {
			t.Errorf("got exit %d, want %d", got, want)
		}
		if failure != nil && (strings.Count(stderr.String(), "\n") != 1 || !strings.HasPrefix(stderr.String(), "yadokari trial start: ")) {
			t.Errorf("got %q", stderr.String())
		}
	}
}

func TestEveryVerbHasHelpWithExamples(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden {
			return // not for people
		}
		if c.Short == "" || c.Example == "" || !strings.Contains(c.Example, "yadokari ") {
			t.Errorf("%s: no short text or no example", c.CommandPath())
		}
		code, out, err := yadokari(t, nil, append(strings.Fields(c.CommandPath())[1:], "--help")...)
		if code != 0 || err != "" || !strings.Contains(out, "Examples:\n") {
			t.Errorf("%s --help: exit %d, %q, %q", c.CommandPath(), code, out, err)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&environment{getenv: func(string) string { return "" }}))
}

func TestConfigComesFromFlagThenVariable(t *testing.T) {
	good, bad := file(t, valid), file(t, "colour: green\n")
	if code, _, err := yadokari(t, map[string]string{"YADOKARI_CONFIG": good}, "check"); code != 0 {
		t.Errorf("variable: exit %d, %s", code, err)
	}
	if code, _, err := yadokari(t, map[string]string{"YADOKARI_CONFIG": bad}, "check", "--config", good); code != 0 {
		t.Errorf("flag over variable: exit %d, %s", code, err)
	}
	if code, _, err := yadokari(t, nil, "check"); code != 2 || !strings.HasPrefix(err, "yadokari.yaml: cannot be read") {
		t.Errorf("default: exit %d, %s", code, err)
	}
}

func TestCompletionOffersNamesOfTheFile(t *testing.T) {
	path := file(t, valid)
	code, out, _ := yadokari(t, nil, cobra.ShellCompNoDescRequestCmd, "check", "-c", path, "--cluster", "")
	if got := strings.Fields(out); code != 0 || !slices.Equal(got, []string{"west", "east", ":4"}) {
		t.Errorf("clusters: exit %d, %q", code, out)
	}
	env := &environment{config: path}
	if routes, _ := env.completeRoutes(nil, nil, ""); !slices.Equal(routes, []string{"wiki", "rest"}) {
		t.Errorf("routes: %q", routes)
	}
	if routes, _ := env.completeRoutes(nil, []string{"wiki"}, ""); routes != nil {
		t.Errorf("second argument: %q", routes)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, err := yadokari(t, nil, "completion", shell); code != 0 || !strings.Contains(out, "yadokari") || err != "" {
			t.Errorf("%s: exit %d, %d bytes, %s", shell, code, len(out), err)
		}
	}
}

func TestVersion(t *testing.T) {
	code, out, _ := yadokari(t, nil, "version", "-o", "json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); code != 0 || err != nil || b.Version == "" || !strings.HasPrefix(b.Go, "go1.") {
		t.Errorf("exit %d, %v, %s", code, err, out)
	}
	if code, out, _ := yadokari(t, nil, "version"); code != 0 || !strings.HasPrefix(out, "yadokari "+b.Version) || strings.Count(out, "\n") != 1 {
		t.Errorf("exit %d, %q", code, out)
	}
}

func TestSchemaIsJSON(t *testing.T) {
	code, out, err := yadokari(t, nil, "schema")
	var schema struct {
		Schema     string `json:"$schema"`
		Properties map[string]any
	}
	if json.Unmarshal([]byte(out), &schema) != nil || code != 0 || err != "" {
		t.Fatalf("exit %d, %s", code, err)
	}
	if schema.Schema != "https://json-schema.org/draft/2020-12/schema" || schema.Properties["gateway"] == nil {
		t.Errorf("got %+v", schema)
	}
}
