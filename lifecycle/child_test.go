package lifecycle

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// family is a parent that runs in a process of its own, as it takes every child there is.
type family struct {
	t     *testing.T
	in    io.WriteCloser
	lines *bufio.Scanner
	child int
}

func newFamily(t *testing.T, role string) *family {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "LIFECYCLE_ROLE=parent:"+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	f := &family{t: t, in: in, lines: bufio.NewScanner(out)}
	number, ok := strings.CutPrefix(f.line("child "), "child ")
	if f.child, err = strconv.Atoi(number); !ok || err != nil {
		t.Fatal(err)
	}
	return f
}

// line reads on until a line with that beginning.
func (f *family) line(beginning string) string {
	f.t.Helper()
	for f.lines.Scan() {
		if strings.HasPrefix(f.lines.Text(), beginning) {
			return f.lines.Text()
		}
	}
	f.t.Fatalf("it ended before %q: %v", beginning, f.lines.Err())
	return ""
}

func (f *family) say(line string) {
	f.t.Helper()
	if _, err := fmt.Fprintln(f.in, line); err != nil {
		f.t.Fatal(err)
	}
}

func (f *family) end() ended {
	f.t.Helper()
	var e ended
	if err := json.Unmarshal([]byte(f.line("{")), &e); err != nil {
		f.t.Fatal(err)
	}
	return e
}

const patient = "60000" // longer than any test takes

func TestChildEnds(t *testing.T) {
	for name, c := range map[string]struct {
		role, after, stop string
		want              Exit
		err               string
	}{
		"when asked":                       {"polite", "ready", patient, Exit{Code: 7}, ""},
		"by the signal":                    {"plain", "ready", patient, Exit{Code: 143, Signal: syscall.SIGTERM}, ""},
		"killed at its budget":             {"deaf", "ready", "50", Exit{Code: 137, Signal: syscall.SIGKILL, Killed: true}, ErrBudget.Error()},
		"hurried, but polite":              {"polite", "ready", "hurry", Exit{Code: 7}, ""},
		"hurried and deaf":                 {"deaf", "ready", "hurry", Exit{Code: 137, Signal: syscall.SIGKILL, Killed: true}, ErrHurried.Error()},
		"daemon asked too":                 {"daemon:polite", "ended", patient, Exit{Code: 0}, ""},
		"daemon in another session killed": {"daemon:deaf", "ended", "50", Exit{Code: 0, Killed: true}, ErrBudget.Error()},
		"worker whose parent lives on":     {"keeper", "ready", patient, Exit{Code: 0}, ""},
		"worker left in the group":         {"worker", "ended", patient, Exit{Code: 5}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFamily(t, c.role)
			f.line(c.after)
			f.say(c.stop)
			if got := f.end(); got.Exit != c.want || got.Error != c.err || got.Left != 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A process that is stopped gets SIGTERM only when it goes on.
func TestStoppedChildIsAsked(t *testing.T) {
	f := newFamily(t, "stopped")
	f.line("ready")
	for { // the test's own deadline bounds this
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.child))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), ") T ") {
			break
		}
	}
	f.say("10000")
	if got := f.end(); got.Exit != (Exit{Code: 7}) || got.Error != "" {
		t.Errorf("got %+v", got)
	}
}

func TestChildEndsByItself(t *testing.T) {
	f := newFamily(t, "exit:42")
	f.line("ended")
	f.say(patient)
	if got := f.end(); got.Exit != (Exit{Code: 42}) || got.Error != "" {
		t.Errorf("got %+v", got)
	}
}

func TestKilledByAnother(t *testing.T) {
	f := newFamily(t, "plain")
	f.line("ready")
	if err := syscall.Kill(f.child, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.say(patient)
	// whether it was for want of memory depends on what else this control group does meanwhile
	if got := f.end(); got.Exit.Code != 137 || got.Exit.Signal != syscall.SIGKILL || got.Exit.Killed {
		t.Errorf("got %+v", got)
	}
}

func TestSignalsReachTheProcess(t *testing.T) {
	f := newFamily(t, "hup")
	f.line("ready")
	f.say("signal 1")
	f.line("hung up")
	f.say(patient)
	if got := f.end(); got.Exit.Code != 143 {
		t.Errorf("got %+v", got)
	}
}

func TestOrphansAreReaped(t *testing.T) {
	f := newFamily(t, "orphans")
	f.line("ready")
	// Whoever adopts takes them soon, but not at once: the test's own deadline bounds this.
	for {
		zombies := 0
		for _, p := range children(parentOf(t, f.child)) {
			if p.pid != f.child {
				zombies++
			}
		}
		if zombies == 0 {
			break
		}
	}
	f.say(patient)
	if got := f.end(); got.Exit.Code != 143 || got.Left != 0 {
		t.Errorf("got %+v", got)
	}
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := parseStat(text)
	if !ok {
		t.Fatalf("%q", text)
	}
	return p.parent
}

// TestWithoutAdopting starts the app from the test itself, which has other children to wait for.
func TestWithoutAdopting(t *testing.T) {
	for role, code := range map[string]int{"polite": 7, "exit:3": 3, "plain": 143} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("LIFECYCLE_ROLE", "app:"+role)
		child, err := Start(Command{Args: []string{os.Args[0]}, Output: [2]*os.File{write, nil}})
		if err != nil {
			t.Fatal(err)
		}
		_ = write.Close()
		lines := bufio.NewScanner(read)
		if lines.Scan(); strings.HasPrefix(role, "exit") { // the end, not readiness
			<-child.Done()
		}
		if err := child.Stop(t.Context()); err != nil {
			t.Error(role, err)
		}
		<-child.Done()
		if got := child.Exit(); got.Code != code {
			t.Errorf("%s: %+v", role, got)
		}
		if err := child.Signal(syscall.SIGHUP); err != nil {
			t.Errorf("%s: a signal after the end: %v", role, err)
		}
		_ = read.Close()
	}
}

func TestStartErrors(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	notBinary := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(notBinary, []byte{0, 1, 2}, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
	}{{nil, 127}, {[]string{"no-such-command-here"}, 127}, {[]string{plain + "-not"}, 127}, {[]string{plain}, 126}, {[]string{notBinary}, 126}} {
		_, err := Start(Command{Args: c.args})
		var start *StartError
		if !errors.As(err, &start) || start.Code != c.code {
			t.Errorf("%q: %v", c.args, err)
		}
	}
}

func TestEnvironmentForTheCommand(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/x")
	t.Setenv("WATCHDOG_USEC", "1")
	t.Setenv("KEPT", "NOTIFY_SOCKET=1")
	env := (&Command{}).environment()
	if !slices.Contains(env, "KEPT=NOTIFY_SOCKET=1") || slices.ContainsFunc(env, func(v string) bool {
		return strings.HasPrefix(v, "NOTIFY_SOCKET=") || strings.HasPrefix(v, "WATCHDOG_")
	}) {
		t.Error(env)
	}
	if got := (&Command{Env: []string{"NOTIFY_SOCKET=/x"}}).environment(); len(got) != 1 {
		t.Error(got)
	}
}

func TestExitInWords(t *testing.T) {
	for want, e := range map[string]Exit{
		"exited with 3":                       {Code: 3},
		"was ended by signal 15 (terminated)": {Code: 143, Signal: syscall.SIGTERM},
		"was killed for want of memory":       {Code: 137, Signal: syscall.SIGKILL, OutOfMemory: true},
	} {
		if e.String() != want {
			t.Error(e.String())
		}
	}
}

func TestReap(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "LIFECYCLE_ROLE=foster")
	cmd.Stdin = strings.NewReader("go\n")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "reaped\n" {
		t.Errorf("%v, %s", err, out)
	}
}
