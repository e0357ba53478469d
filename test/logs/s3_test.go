package logs

import (
	"bytes"
	"compress/gzip"
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

	"yadokari/cloud/bucket"
	"yadokari/logshipper"
	"yadokari/setting"
)

// TestS3 ships to a real S3 server that fails now and then: every object is whole, in order, and below the
// key that was promised; large ones go in parts.
func TestS3(t *testing.T) {
	backend := s3mem.New()
	must(t, backend.CreateBucket("logs"))
	fake := gofakes3.New(backend).Server()
	var calls, parts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("partNumber") {
			parts.Add(1)
		}
		if n := calls.Add(1); n <= 4 || n%7 == 2 { // longer than one call is tried
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "log"), 0o755))
	var c logshipper.Config
	setting.Defaults(&c)
	c.Path, c.Checkpoints, c.Size = filepath.Join(dir, "log", "*.log"), filepath.Join(dir, "state"), 16<<20
	c.To.S3 = &bucket.Config{Bucket: "logs", Prefix: "audit/", PathStyle: true, Access: access(server.URL)}
	var want strings.Builder
	for i := 0; want.Len() < 40<<20; i++ {
		fmt.Fprintf(&want, "line %d", i)
		for range 50 { // that gzip cannot make small
			fmt.Fprintf(&want, " %x", rand.Uint64())
		}
		want.WriteByte('\n')
	}
	must(t, os.WriteFile(filepath.Join(dir, "log", "a.log"), []byte(want.String()), 0o644))
	r := flush(t, c)
	if r.Counts.Waiting > 0 {
		t.Fatalf("not all was delivered: %+v", r.Counts)
	}
	objects, err := backend.ListBucket("logs", nil, gofakes3.ListBucketPage{})
	must(t, err)
	var keys []string
	for _, o := range objects.Contents {
		keys = append(keys, o.Key)
	}
	sort.Strings(keys)
	key := regexp.MustCompile(`^audit/\d{4}/\d\d/\d\d/\d\d/cluster1/\d{8}T\d{6}\.\d{3}Z-vm1-[0-9a-f]{16}-\d{16}\.log\.gz$`)
	var got bytes.Buffer
	for _, name := range keys {
		if !key.MatchString(name) {
			t.Errorf("key %s", name)
		}
		object, err := backend.GetObject("logs", name, nil)
		must(t, err)
		packed, err := gzip.NewReader(object.Contents)
		must(t, err)
		_, err = io.Copy(&got, packed)
		must(t, err)
	}
	if got.String() != want.String() {
		t.Errorf("%d bytes arrived of %d, or not in order", got.Len(), want.Len())
	}
	if parts.Load() == 0 || len(keys) < 3 || r.Counts.Retries == 0 {
		t.Errorf("%d parts, %d objects, %d retries", parts.Load(), len(keys), r.Counts.Retries)
	}
}
