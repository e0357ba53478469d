package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

type collect struct{ bytes.Buffer }

func (c *collect) Take(p []byte) error { c.Write(p); return nil }

func readText(in string, limit int64, size int) (text, rest string, err error) {
	r := bufio.NewReaderSize(strings.NewReader(in), size)
	var got collect
	err = ReadText(r, limit, &got)
	left, _ := io.ReadAll(r)
	return got.String(), string(left), err
}

// What comes after an end that is not CRLF.CRLF must never be taken for a command.
func TestOnlyCRLFDotCRLFEndsData(t *testing.T) {
	const hidden = "MAIL FROM:<evil@example.com>\r\n"
	ends := []string{
		"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r.\n", "\n.\r", "\r\n\x00.\r\n", "\r\n.\x00\r\n",
		"\r\n.\r\r\n", "\r\r\n.\r\n", "\r\n.\r\n\r", "\n\n.\r\n", "\r\n.\n\r\n", "\r\n.\v\r\n", "\r\n. \r\n", "\u2028.\r\n",
	}
	for _, end := range ends {
		if strings.HasPrefix(end, "\r\n.\r\n") || end == "\r\r\n.\r\n" {
			continue // these do end the text, see TestEnds
		}
		in := "Subject: x\r\n\r\nhi" + end + hidden + "\r\n.\r\nQUIT\r\n"
		text, rest, err := readText(in, 1<<20, 4096)
		if rest != "QUIT\r\n" {
			t.Errorf("%q ended the text: left %q", end, rest)
		}
		if err == nil && !strings.Contains(text, hidden) {
			t.Errorf("%q: the text lost its middle: %q", end, text)
		}
		if stray := strings.ContainsAny(strings.ReplaceAll(end, "\r\n", ""), "\r\n"); stray != errors.Is(err, ErrBare) {
			t.Errorf("%q: error %v", end, err)
		}
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		in, text, rest string
		err            error
	}{
		{".\r\nQUIT\r\n", "", "QUIT\r\n", nil},
		{"\r\n.\r\n", "\r\n", "", nil},
		{"a\r\n..\r\n...b\r\n.\r\nX", "a\r\n.\r\n..b\r\n", "X", nil},
		{".a\r\n.\r\n", "a\r\n", "", nil},
		{"a\r\r\n.\r\nX", "", "X", ErrBare},
		{"a\r\n.\r\n\rX", "a\r\n", "\rX", nil},
		{"a\rb\r\n.\r\n", "", "", ErrBare},
		{"a\r\n", "a\r\n", "", io.ErrUnexpectedEOF},
		{strings.Repeat("x", 101) + "\r\n.\r\nX", "", "X", ErrTooLarge},
	} {
		text, rest, err := readText(c.in, 100, 4096)
		if text != c.text || rest != c.rest || !errors.Is(err, c.err) {
			t.Errorf("%q: text %q, rest %q, error %v", c.in, text, rest, err)
		}
	}
}

func TestLongLinesAcrossBuffers(t *testing.T) {
	for n := 1; n < 40; n++ { // 16 is bufio's smallest buffer: the CR lands on each side of the seam
		line := strings.Repeat("y", n) + "\r\n"
		text, rest, err := readText(line+line+".\r\nQ", 1<<20, 16)
		if err != nil || text != line+line || rest != "Q" {
			t.Errorf("line of %d: %q, rest %q, %v", n, text, rest, err)
		}
		if _, _, err := readText(strings.Repeat("y", n)+"\rz\r\n.\r\n", 1<<20, 16); !errors.Is(err, ErrBare) {
			t.Errorf("bare CR at %d: %v", n, err)
		}
	}
}

func stuff(text []byte, cuts []byte) []byte {
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	s := NewStuffer(w)
	for len(text) > 0 {
		n := len(text)
		if len(cuts) > 0 {
			n, cuts = min(n, int(cuts[0])+1), cuts[1:]
		}
		s.Write(text[:n])
		text = text[n:]
	}
	s.Close()
	w.Flush()
	return out.Bytes()
}

// What ReadText accepts comes out the same after a trip over the wire, wherever it is cut.
func FuzzText(f *testing.F) {
	f.Add([]byte("a\r\n.b\r\n..\r\n.\r\n"), []byte{0, 1, 2})
	f.Add([]byte("x\r\n.\r\r\n.\r\n"), []byte{1})
	f.Add([]byte("\n.\r\n\r\n.\r\n"), []byte{})
	f.Add([]byte("a\r\n.a\r\n.b\r\n.c\r\n.\r\n"), []byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in, cuts []byte) {
		var text collect
		if ReadText(bufio.NewReaderSize(bytes.NewReader(in), 16), 1<<20, &text) != nil {
			return
		}
		line := stuff(text.Bytes(), cuts)
		var again collect
		r := bufio.NewReader(bytes.NewReader(append(line, "QUIT"...)))
		if err := ReadText(r, 1<<20, &again); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !bytes.Equal(again.Bytes(), text.Bytes()) || r.Buffered() != 4 {
			t.Fatalf("%q became %q", text.Bytes(), again.Bytes())
		}
	})
}

func BenchmarkReadText(b *testing.B) {
	in := []byte(strings.Repeat(strings.Repeat("x", 76)+"\r\n", 52) + ".\r\n")
	src, sink := bytes.NewReader(in), &collect{}
	r := bufio.NewReaderSize(src, 16<<10)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(in)
		r.Reset(src)
		sink.Reset()
		if err := ReadText(r, 1<<20, sink); err != nil {
			b.Fatal(err)
		}
	}
}
