package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"yadokari/mailrelay/wire"
)

func open(t testing.TB, dir string, o Options) (*Spool, *Found) {
	t.Helper()
	s, found, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, found
}

func envelope(n int) wire.Envelope {
	return wire.Envelope{
		From: fmt.Sprintf("from%d@example.com", n), To: []string{"a@example.org", fmt.Sprintf("b%d@example.net", n)},
		EightBit: n%2 == 0, UTF8: n%3 == 0, Accepted: time.UnixMilli(1700000000000 + int64(n)),
	}
}

func text(n int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("line %d\r\n", n)), 1+n*7%600) }

func put(t *testing.T, s *Spool, n int) *Entry {
	t.Helper()
	e := envelope(n)
	entry, err := s.Append(uint64(n), &e, text(n))
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// check reads a mail and compares it with what put wrote.
func check(t *testing.T, s *Spool, e *Entry) {
	t.Helper()
	got, r, err := s.Read(e)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var body bytes.Buffer
	if _, err := r.WriteTo(&body); err != nil {
		t.Fatal(err)
	}
	if want := envelope(int(e.ID())); !reflect.DeepEqual(got, want) || !bytes.Equal(body.Bytes(), text(int(e.ID()))) {
		t.Fatalf("mail %d changed: %+v, %d bytes", e.ID(), got, body.Len())
	}
}

func TestKeepsMailsOverRestarts(t *testing.T) {
	dir := t.TempDir()
	s, found := open(t, dir, Options{Segment: 4 << 10})
	if len(found.Mails) != 0 {
		t.Fatalf("found %v in an empty directory", found.Mails)
	}
	entries := map[int]*Entry{}
	for n := range 60 {
		entries[n] = put(t, s, n)
	}
	for n := 0; n < 60; n += 3 {
		if gone, err := s.Settle(entries[n], []int{0, 1}); !gone || err != nil {
			t.Fatal(gone, err)
		}
	}
	if gone, err := s.Settle(entries[1], []int{1}); gone || err != nil {
		t.Fatal(gone, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, found = open(t, dir, Options{Segment: 4 << 10})
	if len(found.Mails) != 40 || found.Torn != 0 || found.Damaged != nil {
		t.Fatalf("found %d mails, %+v", len(found.Mails), found)
	}
	for _, m := range found.Mails {
		if m.Entry.ID()%3 == 0 {
			t.Errorf("mail %d was settled", m.Entry.ID())
		}
		check(t, s, m.Entry)
		if half := m.Entry.ID() == 1; m.Entry.Settled(1) != half || m.Entry.Settled(0) || half != (m.Entry.Open() == 1) {
			t.Errorf("mail %d: wrong recipients are settled", m.Entry.ID())
		}
		if err := s.Remove(m.Entry); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.*")); len(left) > 0 {
		t.Errorf("an empty spool leaves %v", left)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := (Disk{}).MkdirAll(dir + "/"); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode() != os.ModeDir|0o700 {
		t.Errorf("%v, %v", info, err)
	}
	t.Chdir(dir)
	if err := (Disk{}).MkdirAll("c/d"); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Disk{}).MkdirAll("file/d"); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	if _, _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second Open: %v", err)
	}
}

func TestGroupCommit(t *testing.T) {
	disk := &faulty{room: -1}
	s, _ := open(t, t.TempDir(), Options{FS: disk})
	put(t, s, 0)
	before, writes := disk.syncs, disk.writes.Load()
	var wg sync.WaitGroup
	add := func(n int) {
		e := envelope(n)
		if _, err := s.Append(uint64(n), &e, text(n)); err != nil {
			t.Error(err)
		}
	}
	disk.mu.Lock() // the committer waits in WriteAt with the first
	wg.Go(func() { add(1) })
	for disk.writes.Load() == writes {
		runtime.Gosched()
	}
	for n := 2; n <= 100; n++ {
		wg.Go(func() { add(n) })
	}
	for waiting := 0; waiting < 99; runtime.Gosched() {
		s.mu.Lock()
		waiting = len(s.waiting)
		s.mu.Unlock()
	}
	disk.mu.Unlock()
	wg.Wait()
	if got := disk.syncs - before; got != 2 {
		t.Errorf("a mail and 99 that waited took %d fsyncs", got)
	}
}

func TestFullDisk(t *testing.T) {
	disk := &faulty{room: -1}
	dir := t.TempDir()
	s, _ := open(t, dir, Options{FS: disk})
	first := put(t, s, 1)
	disk.set(100, nil)
	e := envelope(2)
	if _, err := s.Append(2, &e, text(2)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("a full disk gave %v", err)
	}
	disk.set(-1, errors.New("sync failed"))
	if _, err := s.Append(3, &e, text(3)); err == nil {
		t.Fatal("a failed fsync gave no error")
	}
	disk.set(-1, nil)
	put(t, s, 4)
	check(t, s, first)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, found := open(t, dir, Options{})
	if len(found.Mails) != 2 || found.Mails[0].Entry.ID() != 1 || found.Mails[1].Entry.ID() != 4 || found.Torn != 0 || found.Damaged != nil {
		t.Errorf("refused mails came back: %+v", found)
	}
}

func TestCompact(t *testing.T) {
	m := newMemory()
	const full = 8 << 10
	s, _ := open(t, "/spool", Options{Segment: full, FS: m})
	for n := range 2000 {
		e := put(t, s, n)
		if n%100 == 7 {
			if _, err := s.Settle(e, []int{0}); err != nil {
				t.Fatal(err)
			}
		} else if err := s.Remove(e); err != nil {
			t.Fatal(err)
		}
	}
	for { // the committer compacts between two commits
		live, disk := s.Bytes()
		if disk <= 2*live+4*full {
			break
		}
		if err := s.Remove(put(t, s, 5000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, found := open(t, "/spool", Options{FS: m})
	if len(found.Mails) != 20 {
		t.Fatalf("%d mails of 20 are left", len(found.Mails))
	}
	for _, m := range found.Mails {
		check(t, s, m.Entry)
		if !m.Entry.Settled(0) || m.Entry.Settled(1) {
			t.Errorf("mail %d forgot who is settled", m.Entry.ID())
		}
	}
}

// A crash between copying a segment and removing it leaves mails twice; the later copy counts.
func TestCrashInCompact(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir, Options{})
	put(t, s, 1)
	put(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "0000000000000001.mail"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "0000000000000002.mail"), raw, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "0000000000000002.done"), appendMark(nil, 2, everyone), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, found := open(t, dir, Options{})
	if len(found.Mails) != 1 || found.Mails[0].Entry.ID() != 1 || len(s.segments) != 1 {
		t.Errorf("found %+v in %d segments", found.Mails, len(s.segments))
	}
}

func TestReadNoticesDamage(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir, Options{})
	e := put(t, s, 599)
	f, err := os.OpenFile(filepath.Join(dir, "0000000000000001.mail"), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte{0xff}, e.off+e.Size()-5)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, r, err := s.Read(e)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.WriteTo(io.Discard); !errors.Is(err, ErrDamaged) {
		t.Errorf("damage gave %v", err)
	}
}
