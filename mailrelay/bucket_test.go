package mailrelay

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"yadokari/cloud"
	"yadokari/cloud/bucket"
	"yadokari/mailrelay/sink"
)

// objects is a service that keeps objects, as S3 does; refuse says which PUT it does not take.
type objects struct {
	t       *testing.T
	refuse  func(put int) bool
	mu      sync.Mutex
	puts    int
	keep    bool              // DELETE is refused
	content map[string][]byte // by path
}

func (o *objects) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		o.t.Error(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	content, there := o.content[q.URL.Path]
	switch {
	case q.Method == http.MethodPut:
		o.put(w, q, body)
	case q.Method == http.MethodDelete && o.keep:
		w.WriteHeader(http.StatusForbidden)
	case q.Method == http.MethodDelete:
		delete(o.content, q.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case q.FormValue("list-type") == "2":
		o.list(w, q.URL.Path+"/", q.FormValue("prefix"))
	case q.Method == http.MethodGet && there:
		w.Write(content)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (o *objects) put(w http.ResponseWriter, q *http.Request, body []byte) {
	o.puts++
	if o.refuse(o.puts) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if strings.Contains(q.Header.Get("Content-Encoding"), "aws-chunked") {
		o.t.Errorf("%s %s: %v", q.Method, q.URL, q.Header)
	}
	o.content[q.URL.Path] = body
}

func (o *objects) list(w http.ResponseWriter, bucket, prefix string) {
	var keys []string
	for path := range o.content {
		if key, ok := strings.CutPrefix(path, bucket); ok && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult>`)
	for _, key := range keys {
		fmt.Fprintf(w, "<Contents><Key>%s</Key></Contents>", key)
	}
	fmt.Fprint(w, "</ListBucketResult>")
}

// left are the paths of all objects.
func (o *objects) left() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.content))
}

func bucketFor(t *testing.T, c *Config, refuse func(put int) bool) *objects {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	o := &objects{t: t, refuse: refuse, content: map[string][]byte{}}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	c.Leftover.S3 = &bucket.Config{
		Bucket: "mails", Prefix: "left/", PathStyle: true,
		Access: cloud.Access{Region: "ap-northeast-1", Endpoint: server.URL, Timeout: time.Minute},
	}
	return o
}

// fetch copies all objects below one stop's prefix to a directory, as aws s3 cp --recursive does.
func (o *objects) fetch(t *testing.T, where string) string {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	dir := t.TempDir()
	for path, content := range o.content {
		name, ok := strings.CutPrefix(path, "/"+strings.TrimPrefix(where, "s3://"))
		if !ok {
			t.Errorf("%s is not below %s", path, where)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const bucketMails = 30

// leaveInBucket accepts mails of 300 kB, which no upstream takes, and stops.
func leaveInBucket(t *testing.T, c Config) Result {
	t.Helper()
	return fullOfMail(t, c).Drain(within(50 * time.Millisecond))
}

func fullOfMail(t *testing.T, c Config) *Relay {
	t.Helper()
	c.Queue.Bytes = 32 << 20
	r := start(t, c, Options{})
	x := connect(t, r)
	text := letter + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 4000)
	for n := range bucketMails {
		x.send(fmt.Sprintf("a%d@b.test", n), to("x@y.test", "z@y.test"), text)
	}
	return r
}

// injectAll takes the mails of some directories back, and sees all of them delivered.
func injectAll(t *testing.T, dirs ...string) {
	t.Helper()
	c := settings()
	c.Spool, c.Queue.Bytes = t.TempDir(), 32<<20
	s := upstreamFor(t, &c, sink.Script{})
	r := start(t, c, Options{})
	taken := 0
	for _, dir := range dirs {
		n, err := inject(r, dir)
		if err != nil {
			t.Fatal(dir, err)
		}
		taken += n
	}
	if taken != bucketMails {
		t.Fatalf("%d mails were taken back", taken)
	}
	until(t, func() bool { return len(s.Mails()) == bucketMails })
	from := map[string]bool{}
	for _, m := range s.Mails() {
		from[m.From] = len(m.To) == 2
	}
	for n := range bucketMails {
		if !from[fmt.Sprintf("a%d@b.test", n)] {
			t.Errorf("mail %d did not arrive for both", n)
		}
	}
}

// What is left over goes to a bucket, and comes back.
func TestLeftoverInBucket(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		c := settings()
		if spooled {
			c.Spool, c.Leftover.Spool = t.TempDir(), true
		}
		o := bucketFor(t, &c, func(int) bool { return false })
		res := leaveInBucket(t, c)
		if res.Err != nil || res.Counts.Mails.LeftOver != bucketMails || !strings.HasPrefix(res.Where, "s3://mails/left/relay.test-") {
			t.Fatalf("%+v", res)
		}
		if len(o.content) != 3 {
			t.Errorf("%d objects for 9 MB", len(o.content))
		}
		injectAll(t, o.fetch(t, res.Where))
	}
}

// What the bucket does not take goes to the directory.
func TestLeftoverInBucketAndDirectory(t *testing.T) {
	c := settings()
	c.Leftover.Dir = t.TempDir()
	o := bucketFor(t, &c, func(put int) bool { return put == 2 })
	res := fullOfMail(t, c).Drain(within(4 * time.Second)) // one of them for the bucket and the directory
	places := strings.Split(res.Where, " and ")
	if res.Err == nil || res.Counts.Mails.LeftOver != bucketMails || res.Counts.Mails.Dropped != 0 || len(places) != 2 {
		t.Fatalf("%+v", res)
	}
	injectAll(t, o.fetch(t, places[0]), places[1])
}

// Without a directory, the spool keeps what the bucket does not take, and memory loses it and says so.
func TestLeftoverBucketRefuses(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		c := settings()
		if spooled {
			c.Spool, c.Leftover.Spool = t.TempDir(), true
		}
		bucketFor(t, &c, func(int) bool { return true })
		res := leaveInBucket(t, c)
		if m := res.Counts.Mails; res.Err == nil || spooled && (m.LeftOver != bucketMails || res.Where != c.Spool) ||
			!spooled && (m.Dropped != bucketMails || m.LeftOver != 0) {
			t.Errorf("%+v", res)
		}
		if spooled {
			injectAll(t, c.Spool)
		}
	}
}

// A bucket that does not answer leaves time for the directory.
func TestLeftoverBucketHangs(t *testing.T) {
	c := settings()
	c.Leftover.Dir = t.TempDir()
	bucketFor(t, &c, func(int) bool { return false })
	hang, end := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang.Done() }))
	t.Cleanup(server.Close)
	t.Cleanup(end)
	c.Leftover.S3.Endpoint = server.URL
	r := fullOfMail(t, c)
	ended := make(chan Result, 1)
	go func() { ended <- r.Drain(within(50 * time.Millisecond)) }()
	select {
	case res := <-ended:
		if res.Counts.Mails.LeftOver != bucketMails || !strings.HasPrefix(res.Where, c.Leftover.Dir) || res.Err == nil {
			t.Errorf("%+v", res)
		}
		injectAll(t, res.Where)
	case <-time.After(30 * time.Second): // one request may take a minute
		t.Fatal("the stop waits for the bucket")
	}
}
