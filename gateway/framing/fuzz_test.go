package framing

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// follow gives the gate out, which it passed, byte by byte and returns the requests it sees in it: the
// bytes it takes for data are the bodies.
func follow(out []byte) (requests []seen, upgraded bool) {
	var gate parser
	gate.init(defaultMaxHead, false)
	body := []byte{}
	for _, b := range out {
		before := gate.state
		if before == transparent {
			return requests, true
		}
		if _, reason := gate.check([]byte{b}); reason != "" {
			return requests, false
		}
		if before == inData {
			body = append(body, b)
		}
		if before != atStart && before != atStartLF && (gate.state == atStart || gate.state == transparent) {
			requests = append(requests, seen{body: string(body)})
			body = body[:0]
		}
	}
	return requests, gate.state == transparent
}

// refusesMore says that net/http's reason for stopping is one of the few where it is stricter than the
// gate; then it stops before any harm.
func refusesMore(err error) bool {
	for _, text := range []string{
		"invalid URL", "invalid URI", "parse ", "too much non-data", "suspiciously long trailer",
	} {
		if err != nil && strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// parseBodies is parse, up to n requests, and what stopped it.
func parseBodies(raw []byte, n int) (requests []seen, err error) {
	r := bufio.NewReader(bytes.NewReader(raw))
	for len(requests) < n {
		req, err := http.ReadRequest(r)
		if err != nil {
			return requests, err
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return requests, err
		}
		requests = append(requests, seen{body: string(body)})
	}
	_, err = http.ReadRequest(r)
	return requests, err
}

// FuzzAgreesWithNetHTTP holds the gate against http.ReadRequest: what the gate lets through, net/http
// must cut into the same requests with the same bodies, and however the input arrives in pieces, the
// gate must let the same bytes through.
func FuzzAgreesWithNetHTTP(f *testing.F) {
	for i, s := range corpus() {
		f.Add([]byte(s.raw), uint64(i))
	}
	f.Add([]byte(head("GET / HTTP/1.1", "Upgrade: x")+"\x00junk"), uint64(1))
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		out, reason, _ := through(string(raw), Options{})
		random := rand.New(rand.NewPCG(seed, 1))
		pieces := make([]int, 1+random.IntN(40))
		for i := range pieces {
			pieces[i] = 1 + random.IntN(1+random.IntN(60))
		}
		for _, cut := range [][]int{{1}, pieces} {
			if again, why, _ := through(string(raw), Options{}, cut...); !bytes.Equal(again, out) || why != reason {
				t.Fatalf("in one: %q, %q\nin pieces %v: %q, %q", out, reason, cut, again, why)
			}
		}
		mine, upgraded := follow(out)
		theirs, err := parseBodies(out, len(mine))
		if !equal(mine, theirs) && !(refusesMore(err) && len(theirs) < len(mine) && equal(mine[:len(theirs)], theirs)) {
			t.Fatalf("the gate sees %q\nnet/http sees %q, %v\nin %q", mine, theirs, err, out)
		}
		if err == nil && !upgraded && reason != "" && !bytes.HasSuffix(out, []byte(poison)) {
			return // the fault is in the body of the request whose head was read last
		}
		if err == nil && reason != "" && !upgraded {
			t.Fatalf("net/http reads a head that was refused for %q in %q", reason, out)
		}
	})
}
