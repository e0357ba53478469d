package spool

import (
	"bytes"
	"os"
	"path/filepath"
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

func recovered(t *testing.T, raw, marks []byte) (*Spool, *Found) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "0000000000000001.mail"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "0000000000000001.done"), marks, 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, Options{})
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
	for cut := offs[1]; cut <= offs[3]; cut++ {
		want := []byte{1}
		if cut >= offs[2] {
			want = append(want, 2)
		}
		if cut == offs[3] {
			want = append(want, 3)
		}
		s, found := recovered(t, raw[:cut], nil)
		whole := cut == offs[1] || cut == offs[2] || cut == offs[3]
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
	_, found := recovered(t, append(raw, make([]byte, 200_000)...), nil)
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
		s, found := recovered(t, bad, nil)
		if !bytes.Equal(ids(found), []byte{1, 3}) || len(found.Damaged) != 1 || found.Torn != 0 {
			t.Fatalf("byte %d: mails %v, torn %d, damaged %v", at-offs[1], ids(found), found.Torn, found.Damaged)
		}
		if aside, err := os.ReadFile(found.Damaged[0]); err != nil || !bytes.Equal(aside, bad[offs[1]:offs[2]]) {
			t.Fatalf("byte %d: %d bytes were set aside, %v", at-offs[1], len(aside), err)
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
	_, found := recovered(t, raw, appendMark(nil, 1, everyone))
	if !bytes.Equal(ids(found), []byte{2}) || found.Damaged != nil || found.Lost != 0 {
		t.Errorf("mails %v, damaged %v, lost %d", ids(found), found.Damaged, found.Lost)
	}
}

func TestTornMark(t *testing.T) {
	raw, _ := segmentOf(t, 3)
	marks := appendMark(appendMark(nil, 1, everyone), 2, everyone)
	s, found := recovered(t, raw, marks[:len(marks)-3])
	if !bytes.Equal(ids(found), []byte{2, 3}) {
		t.Fatalf("mails %v", ids(found))
	}
	if err := s.Remove(found.Mails[1].Entry); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, found := open(t, s.dir, Options{}); !bytes.Equal(ids(found), []byte{2}) {
		t.Errorf("a mark after a torn one was lost: mails %v", ids(found))
	}
}

func FuzzRecover(f *testing.F) {
	raw, offs := segmentOf(f, 3)
	f.Add(raw, []byte{})
	f.Add(raw[offs[1]+5:], appendMark(nil, 3, 0))
	f.Add([]byte("YKM1YKM1YKM1"), []byte("x"))
	f.Fuzz(func(t *testing.T, raw, marks []byte) {
		s, found := recovered(t, raw, marks)
		for _, m := range found.Mails {
			_, r, err := s.Read(m.Entry)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if n, err := r.WriteTo(&b); err != nil || n != m.Entry.Text() {
				t.Fatal(n, err)
			}
			r.Close()
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	e := envelope(6)
	f.Add(appendEnvelope(nil, &e))
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := parseEnvelope(raw)
		if err != nil {
			return
		}
		again, err := parseEnvelope(appendEnvelope(nil, &e))
		if err != nil || again.From != e.From || len(again.To) != len(e.To) {
			t.Fatalf("%+v became %+v: %v", e, again, err)
		}
	})
}
