package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"yadokari/lifecycle"
)

// logScene is an app's directory of logs, and files of configuration for it.
type logScene struct {
	*testing.T
	dir string
}

func (s logScene) path(name string) string { return filepath.Join(s.dir, name) }

func (s logScene) write(name, text string) {
	s.Helper()
	f, err := os.OpenFile(s.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err != nil {
		s.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.Fatal(err)
	}
}

// config is a file that ships *.log to the outputs.
func (s logScene) config(to string) string {
	s.Helper()
	return file(s.T, fmt.Sprintf("%s  logs:\n    - {path: %q, to: %s, checkpoints: %q, leftover: {dir: %q}}\n",
		agentFile, s.path("*.log"), to, s.path("state"), s.path("left")))
}

// agent runs an agent that is stopped at once: it ships what there is.
func (s logScene) agent(config string, want int) {
	s.Helper()
	var stdout, stderr bytes.Buffer
	env := &environment{in: strings.NewReader(""), out: &stdout, err: &stderr, getenv: func(string) string { return "" }}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if code := run(ctx, env, []string{"agent", "-c", config}); code != want {
		s.Fatalf("exit %d, %s, %s", code, stdout.String(), stderr.String())
	}
}

// TestLogsStatus lists files before an agent has run, after it has shipped to one of two outputs, and when all is
// shipped but what came since.
func TestLogsStatus(t *testing.T) {
	s := logScene{t, t.TempDir()}
	two := fmt.Sprintf("{dir: {path: %q}, also: [{dir: {path: %q}}]}", s.path("one"), s.path("two"))
	one := s.config(fmt.Sprintf("{dir: {path: %q}}", s.path("one")))
	both := s.config(two)
	table := func(config string) string {
		code, out, err := yadokari(t, nil, "logs", "status", "-c", config)
		if code != 0 || err != "" {
			t.Fatalf("exit %d, %s", code, err)
		}
		out = strings.ReplaceAll(out, s.dir+"/", "")
		return regexp.MustCompile(` +`).ReplaceAllString(out, " ")
	}
	want := func(got string, lines ...string) {
		t.Helper()
		if all := "FILE OUTPUT SIZE ACKNOWLEDGED BACKLOG AGE\n" + strings.Join(lines, ""); got != all {
			t.Errorf("got\n%swant\n%s", got, all)
		}
	}
	want(table(one))
	s.write("a.log", "one\n")
	want(table(one), "a.log dir:one 4 0 4 -\n")
	s.agent(one, 0)
	want(table(one), "a.log dir:one 4 4 0 -\n")
	want(table(both), "a.log slowest of 2 4 0 4 -\n", " dir:two 4 0 4 -\n", " dir:one 4 4 0 -\n")
	s.agent(both, 0)
	s.write("a.log", "two\n")
	want(table(both), "a.log slowest of 2 8 4 4 -\n", " dir:one 8 4 4 -\n", " dir:two 8 4 4 -\n")

	_, out, _ := yadokari(t, nil, "logs", "status", "-c", both, "-o", "json")
	var files []struct {
		Path                        string
		Size, Acknowledged, Backlog int64
		AgeSeconds                  *float64
		Outputs                     []struct {
			Output, ID            string
			Acknowledged, Backlog int64
			AgeSeconds            *float64
		}
	}
	if err := json.Unmarshal([]byte(out), &files); err != nil || len(files) != 1 || len(files[0].Outputs) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	if f := files[0]; f.Path != s.path("a.log") || f.Size != 8 || f.Acknowledged != 4 || f.Backlog != 4 || f.AgeSeconds == nil {
		t.Errorf("%s", out)
	}
	for _, o := range files[0].Outputs {
		if !strings.HasPrefix(o.Output, "dir:"+s.dir) || len(o.ID) != 16 || o.Acknowledged != 4 || o.Backlog != 4 || o.AgeSeconds == nil {
			t.Errorf("%s", out)
		}
	}
}

// TestLogsShip says what stands in the way of what an agent has left over: the stream is still down, or it is not named any
// more.
func TestLogsShip(t *testing.T) {
	s := logScene{t, t.TempDir()}
	config := s.config(`{firehose: {stream: audit, region: eu-west-1, endpoint: "http://127.0.0.1:9"}}`)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	s.write("a.log", "one\ntwo\n")
	short := strings.Replace(read(t, config), "grace: 20s", "grace: 2s, deregister: 100ms, app: 5%, mail: 1%, logs: 5%", 1)
	s.agent(file(t, short), lifecycle.ExitLeftOver)
	code, _, err := yadokari(t, nil, "logs", "ship", s.path("left"), "-c", config, "--timeout", "1s")
	if code != 1 || !strings.Contains(err, "8 bytes are still there") || strings.Count(err, "\n") != 1 {
		t.Errorf("while the stream is down: exit %d, %q", code, err)
	}
	other := s.config(fmt.Sprintf("{dir: {path: %q}}", s.path("one")))
	if code, _, err := yadokari(t, nil, "logs", "ship", s.path("left"), "-c", other); code != 1 || !strings.Contains(err, "no item of agent.logs has path") {
		t.Errorf("without the output: exit %d, %q", code, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMistakesInLogs are found by check: each is one line that names the place and what to do.
func TestMistakesInLogs(t *testing.T) {
	for item, want := range map[string]string{
		`{path: audit.log, to: {stdout: {}}}`:                                       `3:14: agent.logs[0].path: "audit.log" is not the pattern of an absolute path`,
		`{path: "/l/[", to: {stdout: {}}}`:                                          `agent.logs[0].path: "/l/[" is not the pattern of an absolute path`,
		`{to: {stdout: {}}}`:                                                        `agent.logs[0].path`,
		`{path: /l/a}`:                                                              `agent.logs[0].to: no output is named`,
		`{path: /l/a, to: {stdout: {}, also: [{stdout: {}}]}}`:                      `agent.logs[0].to: stdout is named twice`,
		`{path: /l/a, to: {dir: {path: archive}}}`:                                  `agent.logs[0].to.dir.path: "archive" is not an absolute path`,
		`{path: /l/a, to: {dir: {}}}`:                                               `agent.logs[0].to.dir.path`,
		`{path: /l/a, to: {firehose: {}}}`:                                          `agent.logs[0].to.firehose.stream`,
		`{path: /l/a, to: {firehose: {stream: a, endpoint: "h:1"}}}`:                `agent.logs[0].to.firehose.endpoint: "h:1" is not a URL`,
		`{path: /l/a, to: {s3: {bucket: b, prefix: /x}}}`:                           `agent.logs[0].to.s3.prefix: "/x" begins with a slash`,
		`{path: /l/a, to: {s3: {bucket: b, timeout: 0s}}}`:                          `agent.logs[0].to.s3.timeout: must be more than 0s`,
		`{path: /l/a, to: {s3: {bucket: b}, also: [{s3: {bucket: b}}]}}`:            `agent.logs[0].to: s3:b/ is named twice`,
		`{path: /l/a, to: {stdout: {}}, every: 0s}`:                                 `agent.logs[0].every: must be more than 0s`,
		`{path: /l/a, to: {stdout: {}}, size: 1GiB}`:                                `agent.logs[0].size: 1GiB is out of range`,
		`{path: /l/a, to: {stdout: {}}, size: 64KiB, line: 64KiB}`:                  `agent.logs[0].line: 64KiB is out of range`,
		`{path: /l/a, to: {stdout: {}}, format: jsn}`:                               `agent.logs[0].format: "jsn" is not`,
		`{path: /l/a, to: {stdout: {}}, start: "("}`:                                `agent.logs[0].start: "(" is not a regular expression`,
		`{path: /l/a, to: {stdout: {}}, checkpoints: x}`:                            `agent.logs[0].checkpoints: "x" is not an absolute path`,
		`{path: /l/a, to: {stdout: {}}, leftover: {dir: x}}`:                        `agent.logs[0].leftover.dir: "x" is not an absolute path`,
		`{path: /l/a, to: {stdot: {}}}`:                                             `stdout`,
		`{path: /l/a, to: {stdout: {}}}` + "\n    - {path: /l/a, to: {stdout: {}}}": `4:7: agent.logs[1]: /l/a goes to stdout twice`,
	} {
		path := file(t, "agent:\n  logs:\n    - "+item+"\n")
		code, _, err := yadokari(t, nil, "check", "-c", path)
		line, at := regexp.MustCompile(`(?m)^.*yadokari\.yaml:\d+:\d+: .+$`).FindString(err), "yadokari.yaml:"
		if code != 2 || strings.Count(err, "\n") != 1 || line == "" || !strings.Contains(line, want) || !strings.Contains(line, at) || !strings.Contains(line, "(") {
			t.Errorf("%s: exit %d, %q, want %q", item, code, err, want)
		}
	}
}
