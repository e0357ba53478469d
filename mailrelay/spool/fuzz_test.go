package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"yadokari/mailrelay/wire"
)

// recoverIn is what Open does, without the goroutine that writes: the fuzzer wants the same input to take
// the same way each time.
func recoverIn(t *testing.T, m *memory) (*Spool, *Found) {
	s := newSpool("/spool", Options{FS: m})
	found, err := s.recover()
	if err != nil {
		t.Fatal(err)
	}
	return s, found
}

// resign makes the checksums right of what looks like records, so that the fuzzer gets past them.
func resign(body []byte, own salt) {
	for at := 0; ; at++ {
		i := bytes.Index(body[at:], own[:])
		if i < 0 || len(body)-at-i < headSize {
			return
		}
		at += i
		raw := body[at:]
		h := head{id: binary.BigEndian.Uint64(raw[20:]), envelope: binary.BigEndian.Uint32(raw[28:]), text: binary.BigEndian.Uint32(raw[32:])}
		if h.size() <= int64(len(raw)) {
			h.sum = crc32.Checksum(raw[headSize:h.size()], castagnoli)
		}
		h.put(raw)
	}
}

// FuzzRecover opens a segment that holds anything after its front. Whatever is found can be read whole, and
// is found again.
func FuzzRecover(f *testing.F) {
	own := salt{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	record := func(id uint64, text string) []byte {
		e := wire.Envelope{From: "a@b", To: []string{"c@d", "e@f"}, Accepted: time.UnixMilli(int64(id))}
		raw := appendEnvelope(make([]byte, headSize), &e)
		h := head{id: id, envelope: uint32(len(raw) - headSize), text: uint32(len(text))}
		raw = append(raw, text...)
		h.put(raw)
		copy(raw, own[:])
		return raw
	}
	one, two := record(1, "hi\r\n"), record(2, "")
	f.Add(append(one, two...), []byte{}, true)
	f.Add(append(two, one[:20]...), appendMark(nil, 2, 0), true)
	f.Add(append([]byte("damage"), record(3, string(one))...), appendMark(appendMark(nil, 3, 1), 3, everyone), true)
	f.Add(append(one[5:], two...), []byte("x"), false)
	f.Add(make([]byte, 50), []byte{}, false)
	f.Fuzz(func(t *testing.T, body, marks []byte, signed bool) {
		body = bytes.Clone(body)
		if signed {
			resign(body, own)
		}
		m := newMemory()
		m.put("/spool/0000000000000001.mail", append(own.front(), body...))
		m.put("/spool/0000000000000001.done", marks)
		s, found := recoverIn(t, m)
		for _, mail := range found.Mails {
			_, r, err := s.Read(mail.Entry)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if n, err := r.WriteTo(&b); err != nil || n != mail.Entry.Text() {
				t.Fatal(n, err)
			}
			r.Close()
		}
		again, second := recoverIn(t, m)
		if !bytes.Equal(ids(second), ids(found)) {
			t.Fatalf("mails %v, a second time %v", ids(found), ids(second))
		}
		if live, _ := again.Bytes(); live > int64(len(body)) {
			t.Fatalf("%d bytes of mails in %d bytes", live, len(body))
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
