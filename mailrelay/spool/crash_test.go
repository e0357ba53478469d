package spool

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// segmentOf returns the content of a segment of the mails 1 to n, and where each begins.
func segmentOf(t testing.TB, n int) (raw []byte, offs []int64) {
	dir := t.TempDir()
	s, _, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= n; i++ {
		e := envelope(i)
		entry, err := s.Append(uint64(i), &e, text(i))
		if err != nil {
			t.Fatal(err)
		}
		offs = append(offs, entry.off)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err = os.ReadFile(filepath.Join(dir, "0000000000000001.mail"))
	if err != nil {
		t.Fatal(err)
	}
	return raw, append(offs, int64(len(raw)))
}

// recovered opens a spool of one segment, in memory.
func recovered(t *testing.T, raw, marks []byte) (*Spool, *Found, *memory) {
	m := newMemory()
	m.put("/spool/0000000000000001.mail", raw)
	m.put("/spool/0000000000000001.done", marks)
	s, found := open(t, "/spool", Options{FS: m})
	return s, found, m
}

func ids(f *Found) (ids []byte) {
	for _, m := range f.Mails {
		ids = append(ids, byte(m.Entry.ID()))
	}
	return ids
}

// Wherever the file ends, the mails before that place are there and nothing is called damage.
func TestTornEnd(t *testing.T) {
	raw, offs := segmentOf(t, 3)
	for cut := int64(0); cut <= offs[3]; cut++ {
		var want []byte
		if cut >= offs[1] {
			want = append(want, 1)
		}
		if cut >= offs[2] {
			want = append(want, 2)
		}
		if cut == offs[3] {
			want = append(want, 3)
		}
		s, found, _ := recovered(t, raw[:cut], nil)
		whole := cut == 0 || cut == offs[0] || cut == offs[1] || cut == offs[2] || cut == offs[3]
		if !bytes.Equal(ids(found), want) || found.Damaged != nil || (found.Torn == 0) != whole {
			t.Fatalf("cut at %d: mails %v, torn %d, damaged %v", cut, ids(found), found.Torn, found.Damaged)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestZeroEnd(t *testing.T) {
	raw, _ := segmentOf(t, 2)
	_, found, _ := recovered(t, append(raw, make([]byte, 200_000)...), nil)
	if !bytes.Equal(ids(found), []byte{1, 2}) || found.Torn != 200_000 || found.Damaged != nil {
		t.Errorf("mails %v, torn %d, damaged %v", ids(found), found.Torn, found.Damaged)
	}
}

// Whichever byte of a mail is wrong, the others are there and the damaged one is set aside whole.
func TestDamage(t *testing.T) {
	raw, offs := segmentOf(t, 3)
	for at := offs[1]; at < offs[2]; at++ {
		bad := bytes.Clone(raw)
		bad[at] ^= 0x40
		s, found, m := recovered(t, bad, nil)
		inHead := at < offs[1]+headSize
		if !bytes.Equal(ids(found), []byte{1, 3}) || len(found.Damaged) != 1 || found.Torn != 0 ||
			inHead != (found.Unreadable == 1) || inHead != (found.Lost == 0) {
			t.Fatalf("byte %d: mails %v, %+v", at-offs[1], ids(found), found)
		}
		if aside := m.get(found.Damaged[0]); !bytes.Equal(aside, bad[offs[1]:offs[2]]) {
			t.Fatalf("byte %d: %d bytes were set aside", at-offs[1], len(aside))
		}
		for _, m := range found.Mails {
			check(t, s, m.Entry)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamageOfSettledMail(t *testing.T) {
	raw, offs := segmentOf(t, 2)
	raw[offs[1]-3] ^= 1
	_, found, _ := recovered(t, raw, appendMark(nil, 1, everyone))
	if !bytes.Equal(ids(found), []byte{2}) || found.Damaged != nil || found.Lost != 0 {
		t.Errorf("mails %v, damaged %v, lost %d", ids(found), found.Damaged, found.Lost)
	}
}

func TestTornMark(t *testing.T) {
	raw, _ := segmentOf(t, 3)
	marks := appendMark(appendMark(nil, 1, everyone), 2, everyone)
	s, found, m := recovered(t, raw, marks[:len(marks)-3])
	if !bytes.Equal(ids(found), []byte{2, 3}) {
		t.Fatalf("mails %v", ids(found))
	}
	if err := s.Remove(found.Mails[1].Entry); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, found := open(t, s.dir, Options{FS: m}); !bytes.Equal(ids(found), []byte{2}) {
		t.Errorf("a mark after a torn one was lost: mails %v", ids(found))
	}
}

// One of the two copies of the salt is enough. Without both, all is set aside.
func TestDamagedFront(t *testing.T) {
	raw, _ := segmentOf(t, 3)
	for _, c := range []struct {
		bad  []int
		want []byte
	}{{[]int{0}, []byte{1, 2, 3}}, {[]int{9}, []byte{1, 2, 3}}, {[]int{secondAt + 20}, []byte{1, 2, 3}}, {[]int{5, secondAt}, nil}} {
		bad := bytes.Clone(raw)
		for _, at := range c.bad {
			bad[at] ^= 1
		}
		_, found, m := recovered(t, bad, nil)
		if !bytes.Equal(ids(found), c.want) || found.Torn != 0 || (found.Damaged == nil) != (c.want != nil) {
			t.Errorf("bytes %v: mails %v, torn %d, damaged %v", c.bad, ids(found), found.Torn, found.Damaged)
		}
		if c.want == nil && !bytes.Equal(m.get(found.Damaged[0]), bad) {
			t.Errorf("bytes %v: not all was set aside", c.bad)
		}
	}
}

// A mail can hold the very bytes of a record, even of another segment of the same spool: damage before it
// must not make it a mail.
func TestRecordInsideMail(t *testing.T) {
	foreign, offs := segmentOf(t, 1)
	forged := foreign[offs[0]:offs[1]]
	for _, inner := range [][]byte{forged, foreign, bytes.Repeat(forged, 3)} {
		m := newMemory()
		s, _ := open(t, "/spool", Options{FS: m})
		e := envelope(7)
		outer, err := s.Append(7, &e, append([]byte("Subject: x\r\n\r\n"), inner...))
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, 8)
		own := outer.seg.salt
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		raw := m.get("/spool/0000000000000001.mail")
		inside := bytes.Index(raw, forged)
		raw[outer.off+22] ^= 1 // the head's number
		s, found, m := recovered(t, raw, nil)
		if !bytes.Equal(ids(found), []byte{8}) || len(found.Damaged) != 1 || !bytes.Contains(m.get(found.Damaged[0]), inner) {
			t.Fatalf("mails %v, damaged %v", ids(found), found.Damaged)
		}
		check(t, s, found.Mails[0].Entry)
		// That the record is good but for its salt: with the salt it would be taken.
		copy(raw[inside:], own[:])
		if _, found, _ := recovered(t, raw, nil); !bytes.Equal(ids(found), []byte{1, 8}) {
			t.Fatalf("the forged record has another fault: mails %v", ids(found))
		}
	}
}

// What was set aside is not written over by a later damage in the same place.
func TestSetAsideTwice(t *testing.T) {
	raw, offs := segmentOf(t, 1)
	raw[offs[0]+headSize] ^= 1
	s, found, m := recovered(t, raw, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	first := bytes.Clone(m.get(found.Damaged[0]))
	raw[offs[0]+headSize] ^= 3
	m.put("/spool/0000000000000001.mail", raw)
	_, again := open(t, "/spool", Options{FS: m})
	if !bytes.Equal(m.get(found.Damaged[0]), first) || !bytes.Equal(m.get(again.Damaged[0]), raw[offs[0]:]) {
		t.Errorf("%v was written over by %v", found.Damaged, again.Damaged)
	}
}

// While other mails keep a segment, its damage is found at each start. It is set aside once.
func TestSetAsideOnce(t *testing.T) {
	raw, offs := segmentOf(t, 4)
	raw[offs[1]] ^= 1            // no head
	raw[offs[2]+headSize+3] ^= 1 // no content
	s, found, m := recovered(t, raw, nil)
	if found.Lost != 1 || found.Unreadable != 1 || len(found.Damaged) != 2 {
		t.Fatalf("%+v", found)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, again := open(t, "/spool", Options{FS: m})
	if !slices.Equal(again.Damaged, found.Damaged) || again.Lost != 1 || again.Unreadable != 1 {
		t.Errorf("first %v, then %v", found.Damaged, again.Damaged)
	}
}
