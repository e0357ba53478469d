package agent

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"yadokari/lifecycle"
	"yadokari/mailrelay"
	"yadokari/mailrelay/sink"
	"yadokari/setting"
)

// scene is an agent in a process of its own, with a mail server behind it.
type scene struct {
	t      *testing.T
	dir    string // short: a socket is in it
	config Config
	sink   *sink.Server
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	env    []string
	admin  string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &scene{t: t, dir: dir}
	if s.sink, err = sink.Listen("127.0.0.1:0", sink.Script{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sink.Close)
	setting.Defaults(&s.config)
	s.config.Mail = &mailrelay.Config{}
	setting.Defaults(s.config.Mail)
	s.config.Admin.Listen = "127.0.0.1:0"
	m := s.config.Mail
	m.Listen, m.Socket, m.Spool = "", s.path("s"), s.path("spool")
	m.Upstream.Address, m.Upstream.TLS = s.sink.Addr(), "off"
	sh := &s.config.Shutdown
	sh.Deregister, sh.Marker, sh.Done, sh.Receipt = 0, s.path("stopped"), s.path("done"), s.path("receipt")
	sh.Termination, sh.Files = s.path("termination"), []string{s.path("*.log")}
	return s
}

func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// down makes the mail server one that cannot be reached.
func (s *scene) down() { s.sink.Close(); s.config.Mail.Wait = 0 }

func (s *scene) start(command ...string) {
	s.t.Helper()
	var settings bytes.Buffer
	if err := gob.NewEncoder(&settings).Encode(s.config); err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.CommandContext(s.t.Context(), os.Args[0], command...)
	s.cmd.Env = append(append(os.Environ(), "AGENT_ROLE=agent", "AGENT_CONFIG="+hex.EncodeToString(settings.Bytes())), s.env...)
	stderr, err := os.Create(s.path("stderr"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer stderr.Close()
	s.cmd.Stderr = stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd := s.cmd
	s.t.Cleanup(func() {
		if cmd.ProcessState == nil { // the test failed
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	s.lines = bufio.NewScanner(out)
}

// stderr is what the agent has said there.
func (s *scene) stderr() string {
	text, err := os.ReadFile(s.path("stderr"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// line reads on until a line that has the text.
func (s *scene) line(text string) string {
	s.t.Helper()
	for s.lines.Scan() {
		if strings.Contains(s.lines.Text(), text) {
			return s.lines.Text()
		}
	}
	s.t.Fatalf("it ended before %q: %s", text, s.stderr())
	return ""
}

// ready waits until the agent is, and an app of its own as well.
func (s *scene) ready(app bool) {
	s.t.Helper()
	said, up := false, !app
	for !said || !up {
		if !s.lines.Scan() {
			s.t.Fatalf("it ended: %s", s.stderr())
		}
		switch line := s.lines.Text(); {
		case strings.Contains(line, "agent is ready"):
			var message struct{ Admin string }
			if err := json.Unmarshal([]byte(line), &message); err != nil {
				s.t.Fatal(err)
			}
			s.admin, said = "http://"+message.Admin, true
		case line == "app is up":
			up = true
		}
	}
}

func (s *scene) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// end reads the receipt, and checks that it is the same everywhere and agrees with the exit code.
func (s *scene) end() *lifecycle.Receipt {
	s.t.Helper()
	line := s.line(`"msg":"receipt"`)
	r := &lifecycle.Receipt{}
	if err := json.Unmarshal([]byte(line), r); err != nil {
		s.t.Fatal(err)
	}
	err := s.cmd.Wait()
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		s.t.Fatal(err)
	}
	if code != r.Exit {
		s.t.Errorf("exit code %d, but the receipt says %d", code, r.Exit)
	}
	if text, err := os.ReadFile(s.path("receipt")); err != nil || strings.TrimSpace(string(text)) != line {
		s.t.Errorf("the file differs: %v, %s", err, text)
	}
	if m, err := lifecycle.FindMark(s.path("done")); err != nil || m == nil || m.Exit == nil || *m.Exit != r.Exit {
		s.t.Errorf("own marker: %+v, %v", m, err)
	}
	for i := range r.Parts {
		if err := r.Parts[i].Check(); err != nil {
			s.t.Error(err)
		}
	}
	return r
}

// mails is the account of mails.
func mails(t *testing.T, r *lifecycle.Receipt) lifecycle.Account {
	t.Helper()
	if len(r.Parts) != 2 || r.Parts[0].Unit != "mails" || r.Parts[1].Unit != "recipients" {
		t.Fatalf("%+v", r.Parts)
	}
	return r.Parts[0]
}

func (s *scene) get(path string) (int, string) {
	s.t.Helper()
	answer, err := http.Get(s.admin + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (s *scene) submit(subject string) {
	s.t.Helper()
	if answer, err := submit(s.config.Mail.Socket, subject); err != nil || answer != "250" {
		s.t.Fatalf("%s: %q, %v", subject, answer, err)
	}
}

func TestSignalsAreHandedOn(t *testing.T) {
	s := newScene(t)
	s.start("signals")
	s.line("app listens")
	for _, number := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
		syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT,
	} {
		s.signal(number)
		s.line("app got " + strconv.Itoa(int(number)))
	}
	s.signal(syscall.SIGTERM)
	if r := s.end(); r.Exit != 0 {
		t.Errorf("%+v", r)
	}
}

func TestMailOfAStoppingAppArrives(t *testing.T) {
	s := newScene(t)
	s.start("mails", s.config.Mail.Socket, "20", "7")
	s.ready(true)
	s.signal(syscall.SIGHUP)
	s.line("on SIGHUP 250")
	s.signal(syscall.SIGTERM)
	r := s.end()
	a := mails(t, r)
	if r.Exit != 7 || a.In["accepted"] != 21 || a.Out["delivered"] != 21 || len(s.sink.Mails()) != 21 || !r.Complete {
		t.Errorf("%+v, %d at the sink", r, len(s.sink.Mails()))
	}
	if r.App.Words != "exited with 7" || r.Reason != "terminated" || len(r.Phases) != 3 {
		t.Errorf("%+v", r)
	}
}

func TestAppThatEndsByItself(t *testing.T) {
	s := newScene(t)
	s.config.Shutdown.Grace, s.config.Shutdown.Deregister = 10*time.Minute, 2*time.Minute // not waited for: nobody serves
	s.start("exit", "3")
	if r := s.end(); r.Exit != 3 || r.Reason != "the app exited with 3" || !r.Complete || r.Seconds > 60 {
		t.Errorf("%+v", r)
	}
}

func TestAppThatIsKilled(t *testing.T) {
	s := newScene(t)
	s.start("deaf")
	s.ready(true)
	s.submit("before the kill")
	_, status := s.get("/api/v1/agent")
	var told Status
	if err := json.Unmarshal([]byte(status), &told); err != nil || told.PID == 0 || !told.Running || told.Form != "command" {
		t.Fatal(err, status)
	}
	if err := syscall.Kill(told.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r := s.end()
	if a := mails(t, r); r.Exit != 137 || r.App.Exit.Signal != syscall.SIGKILL || r.App.Exit.Killed || a.Out["delivered"] != 1 || r.App.Mark != nil {
		t.Errorf("%+v", r)
	}
}

func TestDeafAppIsKilledAtItsBudget(t *testing.T) {
	s := newScene(t)
	s.config.Shutdown.Grace, s.config.Shutdown.App, s.config.Shutdown.Mail, s.config.Shutdown.Reserve = 30*time.Second, 0.02, 0.8, 0.1
	s.start("deaf")
	s.ready(true)
	s.submit("before the stop")
	s.signal(syscall.SIGTERM)
	r := s.end()
	if a := mails(t, r); r.Exit != 137 || !r.App.Exit.Killed || r.Phases[1].Outcome != lifecycle.CutShort || a.Out["delivered"] != 1 {
		t.Errorf("%+v", r)
	}
}

func TestCommandsThatCannotBeStarted(t *testing.T) {
	for command, code := range map[string]int{"/no/such/command": 127, "/etc/passwd": 126} {
		s := newScene(t)
		s.start(command)
		if r := s.end(); r.Exit != code || !strings.Contains(r.App.Words, command) || r.Reason != "the app could not be started" {
			t.Errorf("%s: %+v", command, r)
		}
	}
}

func TestTermDuringStartUp(t *testing.T) {
	for _, command := range [][]string{nil, {"deaf"}} {
		s := newScene(t)
		s.env = []string{"AGENT_EARLY=1"}
		s.start(command...)
		if r := s.end(); r.Exit != 0 || r.Reason != "told to stop" || !r.Complete {
			t.Errorf("%v: %+v", command, r)
		}
	}
}

func TestStaleMarkersAreRemovedBeforeTheAppStarts(t *testing.T) {
	s := newScene(t)
	for _, name := range []string{"stopped", "done"} {
		if err := os.WriteFile(s.path(name), []byte(`{"exit": 99}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.start("deaf")
	s.ready(true)
	for _, name := range []string{"stopped", "done"} {
		if _, err := os.Stat(s.path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.signal(syscall.SIGTERM)
	s.line("phase began")
	s.signal(syscall.SIGTERM) // hurries: the app is deaf
	if r := s.end(); r.Exit != 137 || r.App.Mark != nil {
		t.Errorf("%+v", r)
	}
}
