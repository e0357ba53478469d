package mailrelay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"yadokari/mailrelay/sink"
	"yadokari/mailrelay/spool"
)

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func TestFullQueue(t *testing.T) {
	for _, c := range []struct {
		policy            string
		accepted, dropped int64
		first             string
	}{{FullReject, 3, 0, "a0@b.test"}, {FullDropOldest, 5, 2, "a2@b.test"}, {FullDropNewest, 5, 2, "a0@b.test"}} {
		for _, spooled := range []bool{false, true} {
			cfg := settings()
			cfg.Queue.Messages, cfg.Queue.Full = 3, c.policy
			cfg.Leftover.Dir = t.TempDir()
			if spooled {
				cfg.Spool = t.TempDir()
			}
			var logs lockedBuffer
			r := start(t, cfg, Options{Logger: slog.New(slog.NewJSONHandler(&logs, nil))})
			x := connect(t, r)
			for n := range 3 {
				x.send(fmt.Sprintf("a%d@b.test", n), to("x@y.test", "z@w.test"), letter)
			}
			for n := 3; n < 5; n++ {
				if c.policy == FullReject {
					x.say(fmt.Sprintf("MAIL FROM:<a%d@b.test>", n), "452 4.3.1 ")
				} else if got := x.send(fmt.Sprintf("a%d@b.test", n), to("x@y.test", "z@w.test"), letter); !strings.HasPrefix(got, "250 ") {
					t.Error(c.policy, got)
				}
			}
			n := r.Counts()
			if n.Mails.Accepted != c.accepted || n.Mails.Dropped != c.dropped || n.Recipients.Dropped != 2*c.dropped ||
				n.Mails.Queued != 3 || n.RefusedForNow != 5-c.accepted || r.Queue(1).Mails[0].From != c.first {
				t.Errorf("%s: %+v, first %s", c.policy, n, r.Queue(1).Mails[0].From)
			}
			logs.mu.Lock()
			text := logs.String()
			logs.mu.Unlock()
			if got := strings.Count(text, `"msg":"mail dropped"`); got != int(c.dropped) || strings.Contains(text, "a dot") ||
				c.dropped > 0 && !strings.Contains(text, `"messageID":"<1@client.test>","recipients":["w.test:1","y.test:1"]`) {
				t.Errorf("%s: %s", c.policy, text)
			}
		}
	}
}

// Mails are given up only for one that then has room: what is being delivered stays, and may be in the way.
func TestDropOldestInVain(t *testing.T) {
	c := settings()
	c.Queue.Full, c.Queue.Bytes, c.Leftover.Dir = FullDropOldest, 1<<20, t.TempDir()
	free := make(chan struct{})
	s := upstreamFor(t, &c, sink.Script{OnText: func(sink.Mail) string { <-free; return "" }})
	c.Upstream.Connections = 1
	r := start(t, c, Options{})
	t.Cleanup(func() { close(free) })
	x := connect(t, r)
	large := letter + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 9000) // more than half of the queue
	x.send("large@b.test", to("x@y.test"), large)
	until(t, func() bool { return s.Connections() == 1 && r.Queue(1).Mails[0].State == "busy" })
	for range 5 {
		x.send("small@b.test", to("x@y.test"), letter)
	}
	if got := x.send("large@b.test", to("x@y.test"), large); !strings.HasPrefix(got, "452 4.3.1 ") {
		t.Error(got)
	}
	if n := r.Counts().Mails; n.Dropped != 0 || n.Queued != 6 {
		t.Errorf("%+v", n)
	}
}

// fullDisk has no room.
type fullDisk struct{ spool.Disk }

type fullFile struct{ spool.File }

func (fullDisk) Create(name string) (spool.File, error) {
	f, err := spool.Disk{}.Create(name)
	return fullFile{f}, err
}

func (fullFile) WriteAt([]byte, int64) (int, error) { return 0, syscall.ENOSPC }

func TestFullDiskIsTemporary(t *testing.T) {
	c := settings()
	c.Spool = t.TempDir()
	r := start(t, c, Options{files: fullDisk{}})
	if got := connect(t, r).send("a@b.test", to("x@y.test"), letter); !strings.HasPrefix(got, "452 4.3.1 ") {
		t.Error(got)
	}
	if n := r.Counts(); n.Messages != 0 || n.Bytes != 0 || n.RefusedForNow != 1 || n.Mails.Accepted != 0 {
		t.Errorf("%+v", n)
	}
}

// A burst into a stopped upstream stays within the bounds.
func TestBurst(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		c := settings()
		c.Queue.Messages, c.Queue.Bytes, c.Limits.Commands = 500, 4<<20, 5000
		c.Leftover.Dir = t.TempDir()
		if spooled {
			c.Spool = t.TempDir()
		}
		r := start(t, c, Options{})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var wg sync.WaitGroup
		for i := range 4 {
			x := connect(t, r)
			wg.Go(func() {
				for n := range 1000 {
					x.write("HELO x\r\nMAIL FROM:<a@b.test>\r\n")
					x.read()
					if got := x.read(); strings.HasPrefix(got, "452 4.3.1") {
						continue
					}
					x.write("RCPT TO:<x@y.test>\r\nDATA\r\n")
					x.read()
					x.read()
					x.write(fmt.Sprintf("X: %d.%d\r\n\r\n%s\r\n.\r\n", i, n, strings.Repeat("x", 4000)))
					x.read()
				}
			})
		}
		wg.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)
		n := r.Counts()
		if n.Mails.Queued != 500 || n.Mails.Accepted+n.RefusedForNow != 4000 || n.Messages > 500 || n.Bytes > 4<<20 {
			t.Errorf("%+v", n)
		}
		grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
		if most := int64(6 << 20); spooled && grown > 2<<20 || grown > most {
			t.Errorf("spooled %v: the heap grew by %d bytes", spooled, grown)
		}
	}
}

func TestLimits(t *testing.T) {
	c := settings()
	c.Limits.Recipients, c.Limits.Connections = 3, 4
	r := start(t, c, Options{})
	x := connect(t, r)
	x.say("MAIL FROM:<a@b.test>", "503 ")
	x.say("EHLO x", "250")
	x.say("MAIL FROM:<a@b.test> SIZE=99999999", "552 5.3.4 ")
	x.say("MAIL FROM:<a@b.test> RET=HDRS", "555 ")
	x.say("MAIL FROM:<é@b.test>", "553 5.6.7 ")
	x.say("MAIL FROM:<é@b.test> SMTPUTF8", "250 ")
	x.say("WHAT", "500 ")
	x.expect("421 4.7.0 ") // it was the fifth error
	y := connect(t, r)
	y.say("EHLO x", "250")
	y.say("MAIL FROM:<a@b.test>", "250")
	y.say("DATA", "554 ")
	for range 3 {
		y.say("RCPT TO:<x@y.test>", "250")
	}
	y.say("RCPT TO:<x@y.test>", "452 4.5.3 ")
	y.say("DATA", "354")
	y.write(strings.Repeat(strings.Repeat("x", 998)+"\r\n", 1100) + ".\r\n")
	y.expect("552 5.3.4 ")
	y.say("NOOP", "250")
	for range 25 {
		y.write("NOOP\r\n")
	}
	for got := ""; ; got = y.read() {
		if strings.HasPrefix(got, "421 4.7.0 ") {
			break
		}
		if strings.HasSuffix(got, "EOF") {
			t.Fatal("no 421")
		}
	}
	z := connect(t, r)
	z.write("NOOP " + strings.Repeat("x", 9000) + "\r\n")
	z.expect("500 5.5.2 ")
	w := connect(t, r)
	w.write("EHLO x\n")
	w.expect("500 5.5.2 ")
}

// smuggled are what some servers take for the end of a mail, and others do not.
var smuggled = []string{"\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\n.\n\r\n", "\r\n.\r\r\n"}

// A bare LF or CR in a mail is refused and nothing of it gets through, whatever hides behind it.
func TestSmuggling(t *testing.T) {
	c := settings()
	c.Limits.Errors = 100
	s := upstreamFor(t, &c, sink.Script{})
	r := start(t, c, Options{})
	x := connect(t, r)
	for _, end := range smuggled {
		got := x.send("a@b.test", to("x@y.test"), "Subject: x\r\n\r\nhi"+end+"MAIL FROM:<evil@b.test>\r\nRCPT TO:<y@y.test>\r\nDATA\r\nevil")
		if !strings.HasPrefix(got, "550 5.6.0 ") {
			t.Errorf("%q: %s", end, got)
		}
	}
	x.send("a@b.test", to("x@y.test"), "Subject: good\r\n\r\n.\x00\r\n. \r\n..")
	until(t, func() bool { return len(s.Mails()) == 1 && r.Counts().Mails.Delivered == 1 })
	if n := r.Counts(); n.RefusedForGood != 8 || !strings.HasSuffix(s.Mails()[0].Text, "\r\n\r\n\x00\r\n \r\n.\r\n") {
		t.Errorf("%+v %q", n, s.Mails()[0].Text)
	}
}

func TestLoop(t *testing.T) {
	c := settings()
	r := start(t, c, Options{})
	if got := connect(t, r).send("a@b.test", to("x@y.test"), strings.Repeat("Received: from x\r\n", 10)+letter); !strings.HasPrefix(got, "554 5.4.6 ") {
		t.Error(got)
	}
}

func TestAdmin(t *testing.T) {
	c := settings()
	c.Leftover.Dir = t.TempDir()
	registry := prometheus.NewRegistry()
	r := start(t, c, Options{Registerer: registry})
	x := connect(t, r)
	for n := range 3 {
		x.send(fmt.Sprintf("a%d@b.test", n), to("x@y.test"), letter)
	}
	web := httptest.NewServer(r.Handler())
	defer web.Close()
	do := func(method, path, body string, code int, into any) {
		t.Helper()
		q, err := http.NewRequest(method, web.URL+"/api/v1/mail"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		raw, _ := io.ReadAll(a.Body)
		if a.StatusCode != code {
			t.Fatalf("%s %s: %s %s", method, path, a.Status, raw)
		}
		if into != nil {
			if err := json.Unmarshal(raw, into); err != nil {
				t.Fatal(err)
			}
		}
	}
	var list Listing
	do("GET", "/queue?limit=2", "", 200, &list)
	if list.Total != 3 || len(list.Mails) != 2 || list.Mails[0].From != "a0@b.test" {
		t.Fatalf("%+v", list)
	}
	var m Mail
	id := list.Mails[0].ID
	do("GET", "/queue/"+id, "", 200, &m)
	if len(m.To) != 1 || m.To[0] != "x@y.test" || !strings.Contains(m.Header, "Subject: hello") || strings.Contains(m.Header, "a dot") {
		t.Errorf("%+v", m)
	}
	do("DELETE", "/queue/"+id, "", 200, nil)
	do("DELETE", "/queue/"+id, "", 404, nil)
	do("GET", "/queue/nonsense", "", 404, nil)
	do("POST", "/queue/flush", "", 200, nil)
	do("POST", "/queue/"+list.Mails[1].ID+"/flush", "", 200, nil)
	do("POST", "/inject", "{}", 400, nil)
	var taken InjectAnswer
	do("POST", "/inject", `{"from":"/nonexistent"}`, 200, &taken)
	if taken.Error == "" {
		t.Error("nothing is said of a directory that does not exist")
	}
	var st Status
	do("GET", "/status", "", 200, &st)
	if st.Counts.Mails.Removed != 1 || st.Counts.Mails.Queued != 2 || st.Counts.Check() != nil {
		t.Errorf("%+v", st)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "yadokari_mail_mails_total" && len(f.GetMetric()) == 10 {
			return
		}
	}
	t.Errorf("the metrics lack the mails: %v", families)
}

// spoil changes a byte of the second mail of a spool.
func spoil(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.mail"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, []byte("Received:"))
	if at < 0 {
		t.Fatal("the file holds no mail")
	}
	mails := raw[at:]
	mails[len(mails)/2] ^= 1
	if err := os.WriteFile(files[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
