package spool

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"yadokari/mailrelay/wire"
)

// Images written to the files of one directory are a spool. What one has lost, by being cut off, is what was
// behind the cut.
func TestImages(t *testing.T) {
	dir := t.TempDir()
	const images, mails = 3, 5
	for n := range images {
		image := NewImage(0)
		whole := 0
		for m := range mails {
			id := uint64(n*mails + m + 1)
			e := &wire.Envelope{From: fmt.Sprintf("a%d@b.test", id), To: []string{"x@y.test", "z@y.test"}}
			whole = len(image.Bytes())
			if err := image.Add(id, e, fmt.Appendf(nil, "text of %d\r\n", id)); err != nil {
				t.Fatal(err)
			}
		}
		content := image.Bytes()
		if n == images-1 {
			content = content[:whole+10]
		}
		if err := os.WriteFile(filepath.Join(dir, ImageName(uint64(n+1))), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, found, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(found.Mails) != images*mails-1 || len(found.Damaged) != 0 || found.Torn != 10 {
		t.Fatalf("%d mails, %v damaged, %d bytes torn", len(found.Mails), found.Damaged, found.Torn)
	}
	for i, m := range found.Mails {
		e, r, err := s.Read(m.Entry)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if _, err := r.WriteTo(&text); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		if want := fmt.Sprintf("text of %d\r\n", i+1); text.String() != want || e.From != fmt.Sprintf("a%d@b.test", i+1) || len(e.To) != 2 {
			t.Errorf("mail %d: %q, %+v", i+1, text.String(), e)
		}
	}
}
