package shift

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/judge"
	"yadokari/setting"
)

const killDir = "SHIFT_KILL_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		fmt.Fprintln(os.Stderr, restless(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// idlePlane is a data plane without traffic.
type idlePlane struct{}

func (idlePlane) Apply(string, Placement) error { return nil }
func (idlePlane) Collect(string, *judge.Window) {}

func killRoutes() (routes []RouteConfig) {
	for i := range 5 {
		r := wiki(testConfig())
		r.Name = fmt.Sprintf("route%d", i)
		routes = append(routes, r)
	}
	return routes
}

// restless moves routes at random until it is killed. A line on standard output acknowledges each
// change once the action has returned.
func restless(dir string) error {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	files := OpenFileStore(dir)
	c, err := New(Options{Routes: killRoutes(), Plane: idlePlane{}, Store: files, Ledger: OpenFileLedger(dir, quiet), Logger: quiet})
	if err != nil {
		return err
	}
	if err := c.Health(); err != nil {
		return err
	}
	go func() { _ = c.Run(context.Background()) }()
	var busy sync.WaitGroup
	for _, r := range killRoutes() {
		busy.Go(func() {
			for {
				token := strconv.FormatUint(rand.Uint64(), 36)
				s, err := step(c, r.Name, token)
				if err == nil && s.Problem == "" && s.Why == token { // else it changed nothing
					fmt.Println(token)
				}
			}
		})
	}
	busy.Wait()
	return nil
}

func step(c *Controller, route, why string) (Status, error) {
	ctx := context.Background()
	switch rand.IntN(6) {
	case 0:
		return c.Start(ctx, route, somebody, why)
	case 1:
		return c.Promote(ctx, route, somebody, why)
	case 2:
		return c.Pause(ctx, route, somebody, why)
	case 3:
		return c.Resume(ctx, route, somebody, why)
	case 4:
		return c.Set(ctx, route, setting.Share(rand.IntN(101))/100, somebody, why)
	}
	return c.Rollback(ctx, route, somebody, why)
}

// TestKill9 kills a process that moves routes, a hundred times at a random moment, and checks each time
// that state and ledger tell one story, which begins with what was acknowledged.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	kills, told := 100, 0
	most := 50 * time.Millisecond // longer on a machine so busy that nothing was done by then
	if testing.Short() {
		kills = 10
	}
	for i := range kills {
		acknowledged := runAndKill(t, dir, 5*time.Millisecond+rand.N(most))
		consistent(t, dir, i, acknowledged)
		if told == 0 && len(acknowledged) == 0 && most < 2*time.Second {
			most += most / 10
		}
		told += len(acknowledged)
	}
	entries, err := openLedger(dir).Read(Filter{Limit: mostLimit})
	if err != nil {
		t.Fatal(err)
	}
	if told == 0 {
		t.Error("no change was acknowledged")
	}
	t.Logf("%d changes, %d of them acknowledged, in %d lives", entries[0].Seq, told, kills)
}

// runAndKill returns the reasons of the changes that were acknowledged.
func runAndKill(t *testing.T, dir string, life time.Duration) []string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(life, func() { _ = child.Process.Kill() })
	defer killer.Stop()
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	return strings.Fields(string(whole))
}

func consistent(t *testing.T, dir string, kill int, acknowledged []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, stateName))
	if os.IsNotExist(err) && len(acknowledged) == 0 {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := UnmarshalSnapshot(text)
	if err != nil {
		t.Fatalf("kill %d: %v", kill, err)
	}
	entries, err := readAll(dir)
	if err != nil {
		t.Fatalf("kill %d: %v", kill, err)
	}
	for _, e := range s.Outbox {
		if e.Seq > uint64(len(entries)) {
			entries = append(entries, e)
		}
	}
	places := chained(t, entries)
	for name, r := range s.Routes {
		if places[name] != r.place() {
			t.Fatalf("kill %d: %s is %+v, the ledger ends at %+v", kill, name, r.place(), places[name])
		}
	}
	for _, token := range acknowledged {
		if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Why == token }) {
			t.Fatalf("kill %d: an acknowledged change is nowhere", kill)
		}
	}
}

func readAll(dir string) ([]Entry, error) {
	text, err := os.ReadFile(filepath.Join(dir, ledgerName))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var entries []Entry
	for {
		i := slices.Index(text, '\n')
		if i < 0 {
			return entries, nil
		}
		e, err := parseEntry(text[:i])
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
		text = text[i+1:]
	}
}
