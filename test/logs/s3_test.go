package logs

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"yadokari/lifecycle"
	"yadokari/test/process"
)

// store is an S3 server with a bucket, logs, that fails when it is told to.
type store struct {
	url     string
	backend *s3mem.Backend
	down    atomic.Bool
	parts   atomic.Int64
}

func newStore(t *testing.T, fails func(call int64) bool) *store {
	t.Helper()
	s := &store{backend: s3mem.New()}
	must(t, s.backend.CreateBucket("logs"))
	fake := gofakes3.New(s.backend).Server()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("partNumber") {
			s.parts.Add(1)
		}
		if s.down.Load() || fails(calls.Add(1)) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// keys are those of all objects, in their order.
func (s *store) keys(t *testing.T) (keys []string) {
	t.Helper()
	list, err := s.backend.ListBucket("logs", nil, gofakes3.ListBucketPage{})
	must(t, err)
	for _, o := range list.Contents {
		keys = append(keys, o.Key)
	}
	sort.Strings(keys)
	return keys
}

// objects are what the objects hold, in the order of their keys.
func (s *store) objects(t *testing.T) (all [][]byte) {
	t.Helper()
	for _, key := range s.keys(t) {
		object, err := s.backend.GetObject("logs", key, nil)
		must(t, err)
		packed, err := gzip.NewReader(object.Contents)
		must(t, err)
		data, err := io.ReadAll(packed)
		must(t, err)
		all = append(all, data)
	}
	return all
}

// TestS3 ships to a real S3 server that fails now and then: every object is whole, in order, and below the
// key that was promised; large ones go in parts.
func TestS3(t *testing.T) {
	s := newStore(t, func(n int64) bool { return n <= 4 || n%7 == 2 }) // longer than one call is tried
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "log"), 0o755))
	configure(t, dir, fmt.Sprintf("{path: DIR/log/a.log, checkpoints: DIR/state, size: 16MiB, to: {%s}}", bucketAt(s.url)))
	var want strings.Builder
	for i := 0; want.Len() < 40<<20; i++ {
		fmt.Fprintf(&want, "line %d", i)
		for range 50 { // that gzip cannot make small
			fmt.Fprintf(&want, " %x", rand.Uint64())
		}
		want.WriteByte('\n')
	}
	must(t, os.WriteFile(filepath.Join(dir, "log", "a.log"), []byte(want.String()), 0o644))
	r := start(t, dir).stop(0)
	keys := s.keys(t)
	host, err := os.Hostname()
	must(t, err)
	key := regexp.MustCompile(`^audit/\d{4}/\d\d/\d\d/\d\d/\d{8}T\d{6}\.\d{3}Z-` + regexp.QuoteMeta(host) + `-[0-9a-f]{16}-\d{16}\.log\.gz$`)
	for _, name := range keys {
		if !key.MatchString(name) {
			t.Errorf("key %s", name)
		}
	}
	if got := bytes.Join(s.objects(t), nil); string(got) != want.String() {
		t.Errorf("%d bytes arrived of %d, or not in order", len(got), want.Len())
	}
	detail, _ := r.Parts[0].Detail.(map[string]any)
	if retries, _ := detail["retries"].(float64); s.parts.Load() == 0 || len(keys) < 3 || retries == 0 {
		t.Errorf("%d parts, %d objects, %+v", s.parts.Load(), len(keys), r.Parts[0])
	}
}

// TestS3LeftOver stops an agent whose bucket is down: the rest is where the receipt says, and yadokari logs ship
// brings it to the bucket, once.
func TestS3LeftOver(t *testing.T) {
	s := newStore(t, func(int64) bool { return false })
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "log"), 0o755))
	configure(t, dir, fmt.Sprintf("{path: DIR/log/a.log, checkpoints: DIR/state, format: json, every: 50ms, leftover: {dir: DIR/left}, to: {%s}}", bucketAt(s.url)))
	path := filepath.Join(dir, "yadokari.yaml")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.Replace(text, []byte("grace: 120s"), []byte("grace: 6s"), 1), 0o644))
	log := filepath.Join(dir, "log", "a.log")
	must(t, os.WriteFile(log, []byte("one\ntwo\n"), 0o644))
	a := start(t, dir)
	process.Eventually(t, "the first lines are there", func() bool { return len(s.keys(t)) > 0 })
	s.down.Store(true)
	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString("three\nfour\ntorn")
	must(t, err)
	must(t, f.Close())
	r := a.stop(lifecycle.ExitLeftOver)
	part := r.Parts[0]
	if part.LeftOver != int64(len("three\nfour\ntorn")) || part.Where == "" || part.Lost != 0 {
		t.Fatalf("the receipt: %+v", part)
	}
	must(t, os.Remove(log)) // the pod is gone
	if out, err := ship(t, dir, part.Where, "1s"); err == nil || !strings.Contains(out, "15 bytes are still there") {
		t.Errorf("while it is down: %v: %s", err, out)
	}
	s.down.Store(false)
	if out, err := ship(t, dir, filepath.Join(dir, "left"), "1m"); err != nil || !strings.Contains(out, "shipped 3 lines, 15 bytes") {
		t.Errorf("%v: %s", err, out)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "left")); err != nil || len(left) != 0 {
		t.Errorf("still left: %v, %v", left, err)
	}
	var lines []string
	ids := map[string]bool{}
	for line := range bytes.Lines(bytes.Join(s.objects(t), nil)) {
		var e struct{ ID, File, Line string }
		must(t, json.Unmarshal(line, &e))
		if e.File != log {
			t.Errorf("%s", line)
		}
		lines, ids[e.ID] = append(lines, e.Line), true
	}
	if strings.Join(lines, " ") != "one two three four torn" || len(ids) != 5 {
		t.Errorf("arrived: %q, %d ids", lines, len(ids))
	}
	inOrder(t, "s3", s.objects(t))
}
