package mail

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// TestLeftoverInBucket: an agent in a pod without any disk, whose mail server is down when it must stop, leaves
// its mail in a bucket. Copied to a directory, yadokari mail inject gives it to another agent.
func TestLeftoverInBucket(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("mails"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	dir := t.TempDir()
	first := &agent{listen: freeAddress(t)}
	first.file = writeFile(t, dir, "yadokari.yaml", fmt.Sprintf(`agent:
  admin: %q
  shutdown: {grace: 10s, deregister: 0s, quiet: 500ms}
  mail:
    listen: %q
    wait: 0s
    upstream: {address: %q, tls: "off"}
    leftover: {s3: {bucket: mails, prefix: left/, pathStyle: true, region: ap-northeast-1, endpoint: %q}}
`, freeAddress(t), first.listen, freeAddress(t), server.URL))
	first.run(t)
	first.says(t, "agent is ready")
	const mails = 50
	for n := range mails {
		if err := sendSMTP(first.listen, fmt.Sprintf("<bucket.%d@client.test>", n)); err != nil {
			t.Fatal(err)
		}
	}
	if code := first.stop(t); code == 0 {
		t.Error("mail is left over and the exit status does not say so")
	}
	where := ""
	for _, part := range first.receipt(t).Parts {
		if err := part.Check(); err != nil || part.LeftOver != mails || part.Lost > 0 {
			t.Errorf("%+v: %v", part, err)
		}
		where = part.Where
	}
	left := filepath.Join(dir, "left")
	if n := download(t, backend, where, left); n == 0 {
		t.Fatalf("nothing is at %q", where)
	}

	second := newAgent(t, "0s")
	second.run(t)
	second.says(t, "agent is ready")
	out, err := exec.Command(program("yadokari"), "mail", "inject", left, "-c", second.file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d mails taken back", mails)) {
		t.Fatalf("%v: %s", err, out)
	}
	second.end(t)
	arrived := map[string]bool{}
	readInbox(t, second.inbox, func(text string) { arrived[messageID(text)] = true })
	if len(arrived) != mails {
		t.Errorf("%d of %d mails arrived", len(arrived), mails)
	}
}

// download copies what is below an s3://BUCKET/PREFIX to a directory, and says how many objects that were.
func download(t *testing.T, backend gofakes3.Backend, where, dir string) int {
	t.Helper()
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(where, "s3://"), "/")
	list, err := backend.ListBucket(bucket, &gofakes3.Prefix{HasPrefix: true, Prefix: prefix}, gofakes3.ListBucketPage{})
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		object, err := backend.GetObject(bucket, o.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(object.Contents)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, dir, path.Base(o.Key), string(content))
	}
	return len(list.Contents)
}
