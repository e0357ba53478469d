package agent

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSystemd listens as systemd does: the agent says READY, gives signs of life, and at a stop asks for
// more time; the app does not speak for it.
func TestSystemd(t *testing.T) {
	s := newScene(t)
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path("notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := listener.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"NOTIFY_SOCKET=" + s.path("notify"), "WATCHDOG_USEC=100000"}
	s.start("environment", "NOTIFY_SOCKET")
	wait := func(want string) {
		t.Helper()
		buffer := make([]byte, 256)
		for {
			n, err := listener.Read(buffer)
			if err != nil {
				t.Fatalf("%s did not come: %v", want, err)
			}
			if strings.HasPrefix(string(buffer[:n]), want) {
				return
			}
		}
	}
	s.line(`app has NOTIFY_SOCKET ""`)
	wait("READY=1")
	wait("WATCHDOG=1")
	s.signal(syscall.SIGTERM)
	wait("STOPPING=1")
	wait("EXTEND_TIMEOUT_USEC=6000000")
	if r := s.end(); r.Exit != 0 {
		t.Errorf("%+v", r)
	}
}
