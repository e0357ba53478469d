package logs

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"yadokari/lifecycle"
	"yadokari/test/process"
)

// agent is yadokari agent beside an app that writes to DIR/log.
type agent struct {
	*testing.T
	*process.Process
}

// configure writes the file of an agent in dir. Items are of agent.logs; DIR in them stands for dir.
func configure(t *testing.T, dir string, items ...string) {
	t.Helper()
	text := "agent:\n  admin: \"127.0.0.1:0\"\n" +
		"  shutdown: {grace: 120s, deregister: 0s, app: 10%, mail: 1%, logs: 60%, quiet: 500ms, files: [\"DIR/log/*\"]}\n  logs:\n"
	for _, item := range items {
		text += "    - " + item + "\n"
	}
	must(t, os.WriteFile(filepath.Join(dir, "yadokari.yaml"), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o644))
}

// environ is what every AWS tool takes its credentials from.
func environ() []string {
	return append(os.Environ(), "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}

func start(t *testing.T, dir string) *agent {
	t.Helper()
	command := exec.Command(program("yadokari"), "agent", "-c", filepath.Join(dir, "yadokari.yaml"))
	command.Env = environ()
	return &agent{t, process.Start(t, "agent", command)}
}

// stop lets it come to its end, and returns the receipt, which adds up.
func (a *agent) stop(exit int) *lifecycle.Receipt {
	a.Helper()
	a.Says(a.T, `"msg":"agent is ready"`)
	if code := a.Stop(a.T); code != exit {
		a.Errorf("exit %d, want %d", code, exit)
	}
	for line := range strings.Lines(a.Out.String()) {
		var r lifecycle.Receipt
		if json.Unmarshal([]byte(line), &r) != nil || r.Message != "receipt" {
			continue
		}
		for _, part := range r.Parts {
			if err := part.Check(); err != nil {
				a.Error(err)
			}
		}
		return &r
	}
	a.Fatal("there is no receipt")
	return nil
}

// ship runs yadokari logs ship for at most as long as timeout says.
func ship(t *testing.T, dir, left, timeout string) (text string, err error) {
	t.Helper()
	command := exec.Command(program("yadokari"), "logs", "ship", left, "-c", filepath.Join(dir, "yadokari.yaml"), "--timeout", timeout)
	command.Env = environ()
	out, err := command.CombinedOutput()
	return string(out), err
}

// outputs of the services in tests, at an address.
func stream(url string) string {
	return fmt.Sprintf("firehose: {stream: audit, region: ap-northeast-1, endpoint: %q}", url)
}

func bucketAt(url string) string {
	return fmt.Sprintf("s3: {bucket: logs, prefix: audit/, pathStyle: true, region: ap-northeast-1, endpoint: %q, timeout: 5s}", url)
}
