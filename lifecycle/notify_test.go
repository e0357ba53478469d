package lifecycle

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestStoppingExtendsWhileTimeIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		n := &Notifier{Send: func(m string) { sent = append(sent, m) }}
		n.Stopping(t.Context(), 2500*time.Millisecond)
		want := []string{"STOPPING=1", "EXTEND_TIMEOUT_USEC=6000000", "EXTEND_TIMEOUT_USEC=6000000", "EXTEND_TIMEOUT_USEC=5500000"}
		if !slices.Equal(sent, want) {
			t.Error(sent)
		}
		sent = nil
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		n.Stopping(ctx, time.Hour)
		if len(sent) != 3 {
			t.Error(sent)
		}
	})
}

func TestGuardIsSilentWhenNotLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		var fault atomic.Pointer[error]
		n := &Notifier{Watchdog: 10 * time.Second, Send: func(m string) {
			if m != "WATCHDOG=1" {
				t.Error(m)
			}
			sent++
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go n.Guard(ctx, func() error {
			if err := fault.Load(); err != nil {
				return *err
			}
			return nil
		})
		time.Sleep(21 * time.Second)
		synctest.Wait()
		if sent != 5 { // at 0, 5, 10, 15 and 20 s
			t.Error(sent)
		}
		stuck := errors.New("stuck")
		fault.Store(&stuck)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if sent != 5 {
			t.Error(sent)
		}
		(&Notifier{}).Guard(t.Context(), nil) // without a watchdog it returns
	})
}

func TestNewNotifierReadsTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "2000000")
	for pid, want := range map[string]time.Duration{"": 2 * time.Second, strconv.Itoa(os.Getpid()): 2 * time.Second, "1": 0} {
		t.Setenv("WATCHDOG_PID", pid)
		if n := NewNotifier(); n.Watchdog != want {
			t.Errorf("pid %q: %v", pid, n.Watchdog)
		}
	}
	NewNotifier().Ready()
	message := make([]byte, 64)
	if n, err := listener.Read(message); err != nil || string(message[:n]) != "READY=1" {
		t.Errorf("%q, %v", message[:n], err)
	}
}
