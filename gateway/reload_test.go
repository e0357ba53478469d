package gateway

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yadokari/shift"
)

// A request that began before a reload and is sent after it finds the backend that is there now.
func TestReloadBetweenTheBeginOfARequestAndItsSending(t *testing.T) {
	r := newRig(t)
	conn := r.dial("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n1")
	eventually(t, "the request has not begun", func() bool { return r.inFlight.Load() == 1 })
	time.Sleep(10 * time.Millisecond) // its body is being read
	c := *r.table.Load().config
	c.Backends = maps.Clone(c.Backends)
	changed := c.Backends["vm"]
	changed.Upstream.Response++
	c.Backends["vm"] = changed
	if err := r.Reload(c); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "2"); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(out), "vm") {
		t.Fatalf("got %q, %v", out, err)
	}
}

func TestReloadKeepsWhatTheMirrorHasLearnt(t *testing.T) {
	r := newRig(t)
	if err := r.Apply("all", shift.Placement{Mirror: true}); err != nil {
		t.Fatal(err)
	}
	if a := r.do("GET", "/", ""); a.status != 200 {
		t.Fatalf("got %+v", a)
	}
	eventually(t, "nothing was compared", func() bool {
		d, err := r.Differences("all")
		return err == nil && d.Counts.Compared == 1 && d.Counts.UnderWay == 0
	})
	for range 2 {
		if err := r.Reload(*r.table.Load().config); err != nil {
			t.Fatal(err)
		}
	}
	bad := *r.table.Load().config
	bad.Routes = []Route{bad.Routes[0], moving("a", "/x/{y}"), moving("b", "/{x}/y")}
	if err := r.Reload(bad); err == nil {
		t.Fatal("conflicting patterns were taken over")
	}
	_ = r.do("GET", "/", "")
	eventually(t, "the mirror has forgotten, or compares no more", func() bool {
		d, err := r.Differences("all")
		return err == nil && d.Counts.Compared == 2
	})
}

// An access log that cannot be opened keeps nobody from being served.
func TestAccessLogThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no directory", "access.log")
	r := newRig(t, func(c *Config) { c.AccessLog = file })
	if a := r.do("GET", "/", ""); a.status != 200 {
		t.Fatalf("got %+v", a)
	}
	if err := os.Mkdir(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(*r.table.Load().config); err != nil {
		t.Fatal(err)
	}
	r.do("GET", "/later", "")
	eventually(t, "the line is not in the file", func() bool {
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), "/later")
	})
}

// An access log that cannot be opened again does not leave a reload half done.
func TestReloadWithoutItsAccessLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.AccessLog = filepath.Join(dir, "access.log") })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(*r.table.Load().config); err != nil {
		t.Fatal(err)
	}
	c := *r.table.Load().config
	c.AccessLog, c.Limits.Connections = "off", 7
	if err := r.Reload(c); !errors.Is(err, ErrNeedsRestart) || !strings.Contains(err.Error(), "accessLog, limits.connections") {
		t.Fatalf("got %v", err)
	}
}

// Between the reload of the data plane and that of the control loop a promotion may come, decided for the
// backend that the route went to before.
func TestPlacementThatWasDecidedForAnotherSide(t *testing.T) {
	blue := newRecorder(t, "blue")
	r := newRig(t, func(c *Config) { c.Backends["blue"] = backendAt(blue.URL) })
	decided := shift.Placement{Share: 1, To: "containers"}
	if err := r.Apply("all", decided); err != nil {
		t.Fatal(err)
	}
	c := *r.table.Load().config
	c.Routes = []Route{moving("all", "/")}
	c.Routes[0].To = "blue"
	if err := r.Reload(c); err != nil {
		t.Fatal(err)
	}
	if err := r.Apply("all", decided); err == nil {
		t.Error("users were placed on a side that the control loop does not know of")
	}
	if a := r.do("GET", "/", ""); a.body != "vm" {
		t.Errorf("a user got %+v", a)
	}
	if err := r.Apply("all", shift.Placement{Share: 1, To: "blue"}); err != nil {
		t.Error(err)
	}
}
