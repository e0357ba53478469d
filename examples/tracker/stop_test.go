package tracker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestStopInOrder stops a copy in the middle of an upload and with a mail under way: both end well,
// the audit log has every line, and the marker comes after all of it.
func TestStopInOrder(t *testing.T) {
	dir := t.TempDir()
	mailing, release := make(chan struct{}, 10), make(chan struct{})
	s := newSink(t, func(string, int) string {
		mailing <- struct{}{}
		<-release
		return "250 ok"
	})
	config := Config{
		Data: filepath.Join(dir, "data"), Audit: filepath.Join(dir, "audit.log"), Marker: filepath.Join(dir, "marker"), Linger: time.Second,
		Mail: Mail{Via: "smtp", Address: s.address, Log: filepath.Join(dir, "mail.log")},
	}
	if err := os.WriteFile(config.Marker, nil, 0o600); err != nil { // of an earlier life
		t.Fatal(err)
	}
	c := child(t, config)
	if _, err := os.Stat(config.Marker); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the stale marker is still there: %v", err)
	}
	alice := login(t, c.URL, "alice")
	alice.post("/issues", "title", "last words").want(http.StatusSeeOther)
	<-mailing

	content, rest := io.Pipe()
	uploaded := make(chan reply, 1)
	go func() { uploaded <- upload(login(t, c.URL, "bob"), content) }()
	if _, err := io.WriteString(rest, "first half "); err != nil { // taken: the request is under way
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- c.Stop(t.Context()) }()
	waitForStopping(t, c)
	alice.post("/issues", "title", "in the lingering second").want(http.StatusSeeOther)
	if r := alice.get("/board"); !r.Close {
		t.Error("a copy that stops must let go of kept connections")
	}
	if _, err := io.WriteString(rest, "second half"); err != nil {
		t.Fatal(err)
	}
	_ = rest.Close()
	(<-uploaded).want(http.StatusCreated).has(`"size":22`)
	<-mailing
	if _, err := os.Stat(config.Marker); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("marked as done with mails under way: %v", err)
	}
	close(release)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	compareWithLog(t, s, config.Mail.Log, 2)
	checkStopFiles(t, config)
}

func waitForStopping(t *testing.T, c *Child) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		response, err := client.Get(c.URL + healthPath)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusServiceUnavailable {
			return
		}
	}
}

// checkStopFiles wants all audit lines, and an empty marker that is younger than every other file.
func checkStopFiles(t *testing.T, config Config) {
	t.Helper()
	var actions []string
	for n, e := range readLines[AuditEntry](t, config.Audit) {
		if e.Seq != int64(n+1) || e.Build != "vm" {
			t.Errorf("audit line %d: %+v", n, e)
		}
		actions = append(actions, e.Action)
	}
	want := "session.begin issue.create session.begin issue.create file.upload"
	if got := strings.Join(actions, " "); got != want {
		t.Errorf("audit log: %s, want %s", got, want)
	}
	marker, err := os.Stat(config.Marker)
	if err != nil || marker.Size() != 0 {
		t.Fatalf("marker: %v, %v", marker, err)
	}
	for _, path := range []string{config.Audit, config.Mail.Log, filepath.Join(config.Data, "tracker.db")} {
		file, err := os.Stat(path)
		if err != nil || file.ModTime().After(marker.ModTime()) {
			t.Errorf("%s was written after the marker (%v)", path, err)
		}
	}
}

func TestNoMarkerWithoutTheAuditLog(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	s, err := New(t.Context(), Config{Data: t.TempDir(), Audit: "/dev/full", Marker: marker}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.audit.write("alice", "x", "y", "")
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "1 lines not written") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(marker); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("marker: %v", err)
	}
	if c := s.audit.counts(); c != (AuditCounts{Written: 1, Buffered: 1}) {
		t.Errorf("%+v", c)
	}
}

func TestKilledCopyLeavesNoMarker(t *testing.T) {
	config := Config{Data: t.TempDir(), Marker: filepath.Join(t.TempDir(), "marker")}
	c := child(t, config)
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(config.Marker); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("marker: %v", err)
	}
}

func TestStopEndsSocketsProperly(t *testing.T) {
	c := child(t, Config{Data: t.TempDir()})
	alice := login(t, c.URL, "alice")
	conn := socket(t, alice)
	receive[hello](t, conn)
	closed := make(chan error, 1)
	go func() {
		_, _, err := conn.Read(t.Context())
		closed <- err
	}()
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("closed with %v", err)
	}
}

// TestStopCutsWhatHangs shows that a stop ends, even with requests that never do.
func TestStopCutsWhatHangs(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	c := child(t, Config{Data: t.TempDir(), Marker: marker, Grace: 50 * time.Millisecond, Control: "127.0.0.1:0",
		Faults: []Fault{{Prefix: "/wiki/", Kind: FaultHang}}})
	cut := make(chan error, 1)
	go func() {
		response, err := http.Get(c.URL + "/wiki/Home")
		if err == nil {
			_ = response.Body.Close()
			err = fmt.Errorf("status %d", response.StatusCode)
		}
		cut <- err
	}()
	for admin := visit(t, c.ControlURL); !strings.Contains(admin.get("/stats").body, `"inFlight":1`); {
		runtime.Gosched()
	}
	if err := c.Stop(t.Context()); err == nil {
		t.Error("requests were cut off, and the exit status does not say so")
	}
	if err := <-cut; !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the hanging request ended with %v", err)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Error(err)
	}
}

func TestAuditLogGoesOnInANewFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	s := newSite(t, Config{Audit: path})
	alice := login(t, s.url, "alice")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.ReopenLogs(); err != nil {
		t.Fatal(err)
	}
	alice.post("/issues", "title", "x").want(http.StatusSeeOther)
	if err := s.ReopenLogs(); err != nil { // flushes
		t.Fatal(err)
	}
	first, second := readLines[AuditEntry](t, path+".1"), readLines[AuditEntry](t, path)
	if len(first) != 1 || len(second) != 1 || second[0].Seq != 2 || second[0].Run != first[0].Run || second[0].Action != "issue.create" {
		t.Errorf("%+v, %+v", first, second)
	}
}

func TestStartSaysWhyNot(t *testing.T) {
	busy := child(t, Config{Data: t.TempDir()})
	command := childCommand()
	command.Stderr = nil
	_, err := Start(t.Context(), command, Config{Data: t.TempDir(), Listen: strings.TrimPrefix(busy.URL, "http://")})
	if err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("%v", err)
	}
}
