package mail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yadokari/lifecycle"
	"yadokari/test/process"
)

// upstreamConnections is how many mails can be under way to the mail server.
const upstreamConnections = 8

// agent is yadokari agent with a spool, over the restarts of its process.
type agent struct {
	*process.Process
	file, listen, socket, inbox string
}

// newAgent writes the settings of an agent before Postfix's smtp-sink.
func newAgent(t *testing.T, wait string) *agent {
	t.Helper()
	dir := t.TempDir()
	sink, inbox := startSink(t)
	a := &agent{listen: process.FreeAddress(t), socket: dir + "/mail.sock", inbox: inbox}
	a.file = process.WriteFile(t, dir, "yadokari.yaml", fmt.Sprintf(`agent:
  admin: %q
  shutdown: {grace: 60s, quiet: 500ms}
  mail:
    listen: %q
    socket: %s
    wait: %s
    spool: %s/spool
    upstream: {address: %q, tls: "off", connections: %d}
    retry: {first: 100ms, unreachable: 100ms}
`, process.FreeAddress(t), a.listen, a.socket, wait, dir, sink, upstreamConnections))
	return a
}

// run starts the process, or starts it again.
func (a *agent) run(t *testing.T) {
	t.Helper()
	a.Process = process.Start(t, "agent", exec.Command(program("yadokari"), "agent", "-c", a.file))
}

// end stops the agent, wants everything handed on, and returns how many mails it has accepted, with
// those that it found in its spool.
func (a *agent) end(t *testing.T) int64 {
	t.Helper()
	if code := a.Stop(t); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
	var mails int64
	for _, part := range a.receipt(t).Parts {
		if err := part.Check(); err != nil || part.LeftOver+part.Lost+part.Out["bounced"] > 0 || len(part.Faults) > 0 {
			t.Errorf("%+v: %v", part, err)
		}
		if part.Unit == "mails" {
			mails = part.Out["delivered"]
		}
	}
	return mails
}

// receipt is the receipt among the lines that the agent wrote.
func (a *agent) receipt(t *testing.T) *lifecycle.Receipt {
	t.Helper()
	for _, line := range slices.Backward(bytes.Split([]byte(a.Out.String()), []byte("\n"))) {
		var r lifecycle.Receipt
		if json.Unmarshal(line, &r) == nil && r.Message == "receipt" {
			return &r
		}
	}
	t.Fatalf("no receipt:\n%s", a.Out)
	return nil
}

// startSink starts Postfix's mail server for tests, which writes each mail to a file of its own. It does not
// run as root, and so needs a folder that others reach.
func startSink(t *testing.T) (address, inbox string) {
	t.Helper()
	inbox, err := os.MkdirTemp("", "yadokari-inbox-")
	if err == nil {
		err = os.Chmod(inbox, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(inbox) })
	address = process.FreeAddress(t)
	args := []string{"-d", inbox + "/m.", address, "100"}
	if os.Getuid() == 0 {
		args = append([]string{"-u", "nobody"}, args...)
	}
	p := process.Start(t, "smtp-sink", exec.Command("/usr/sbin/smtp-sink", args...))
	process.Eventually(t, "smtp-sink listens", func() bool {
		p.MustRun(t)
		return reachable(address)
	})
	return address, inbox
}

func reachable(address string) bool {
	c, err := net.Dial("tcp", address)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// readInbox gives each mail that has arrived whole: one that was cut off lacks the last line that all
// mails here have. In front are lines of smtp-sink's own with the envelope: X-Mail-Args, X-Rcpt-Args.
func readInbox(t *testing.T, inbox string, each func(text string)) {
	t.Helper()
	entries, err := os.ReadDir(inbox)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(inbox, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), lastLine) {
			each(string(text))
		}
	}
}

const lastLine = "this is the last line"

func messageID(text string) string {
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Message-ID") {
			return strings.TrimSpace(value)
		}
	}
	return "none"
}
