package mail

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"yadokari/lifecycle"
	"yadokari/test/process"
)

const (
	leftMails = 3000
	injectors = 5
	// most of an object's mails, and of what is taken back with one fsync
	batch = 512
)

// TestLeftoverInBucket: an agent in a pod without any disk, whose mail server is down when it must stop, leaves
// thousands of mails in a bucket. yadokari mail inject, with the place as the receipt has it, gives them to another
// agent, which is killed while it takes them, more than once.
func TestLeftoverInBucket(t *testing.T) {
	backend, endpoint := startBucket(t)
	where := leaveMail(t, endpoint)
	if n := objects(t, backend, where); n == 0 {
		t.Fatalf("nothing is at %q", where)
	}
	// The second agent's file says nothing of a bucket: region and endpoint come as to every AWS tool.
	t.Setenv("AWS_REGION", "ap-northeast-1")
	t.Setenv("AWS_ENDPOINT_URL", endpoint)
	second := newAgent(t, "0s")
	for range injectors {
		second.run(t)
		second.Says(t, "agent is ready")
		inject := exec.Command(program("yadokari"), "mail", "inject", where, "-c", second.file)
		p := process.Start(t, "inject", inject)
		time.Sleep(rand.N(150 * time.Millisecond))
		second.Kill()
		<-p.Exited // with an error, or done
	}
	second.run(t)
	second.Says(t, "agent is ready")
	out, err := exec.Command(program("yadokari"), "mail", "inject", where, "-c", second.file, "-o", "json").Output()
	var answer struct {
		Taken *int
		Error string
	}
	if err == nil {
		err = json.Unmarshal(out, &answer)
	}
	if err != nil || answer.Taken == nil || answer.Error != "" {
		t.Fatalf("%v: %s", err, out)
	}
	if n := objects(t, backend, where); n > 0 {
		t.Errorf("%d objects are still at %q", n, where)
	}
	second.end(t)
	arrived := map[string]int{}
	readInbox(t, second.inbox, func(text string) { arrived[messageID(text)]++ })
	copies := 0
	for _, n := range arrived {
		copies += n - 1
	}
	t.Logf("%d kills: %d distinct mails of %d arrived, %d copies beyond the first; the last inject took %d", injectors, len(arrived), leftMails, copies, *answer.Taken)
	if most := injectors * (batch + upstreamConnections); len(arrived) != leftMails || copies > most {
		t.Errorf("%d of %d mails arrived, and %d copies, of which %d can be explained", len(arrived), leftMails, copies, most)
	}
}

// TestInjectNeedsRightBucket: what is wrong with a bucket is said in one line, and nothing hangs.
func TestInjectNeedsRightBucket(t *testing.T) {
	_, endpoint := startBucket(t)
	a := newAgent(t, "0s")
	a.run(t)
	a.Says(t, "agent is ready")
	for where, words := range map[string]string{"s3://none/left/": "NoSuchBucket", "s3:///left": "s3://BUCKET/PREFIX", "gs://mails/left": "s3://BUCKET/PREFIX"} {
		out, err := exec.Command(program("yadokari"), "mail", "inject", where, "-c", a.file, "--region", "ap-northeast-1", "--endpoint", endpoint).CombinedOutput()
		if err == nil || !strings.Contains(string(out), words) {
			t.Errorf("%s: %v, %s", where, err, out)
		}
	}
}

func startBucket(t *testing.T) (backend gofakes3.Backend, endpoint string) {
	t.Helper()
	backend = s3mem.New()
	if err := backend.CreateBucket("mails"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	return backend, server.URL
}

// leaveMail runs an agent without a mail server, and returns where its receipt says that its mail is.
func leaveMail(t *testing.T, endpoint string) (where string) {
	t.Helper()
	first := &agent{listen: process.FreeAddress(t)}
	first.file = process.WriteFile(t, t.TempDir(), "yadokari.yaml", fmt.Sprintf(`agent:
  admin: %q
  shutdown: {grace: 10s, deregister: 0s, quiet: 500ms}
  mail:
    listen: %q
    wait: 0s
    upstream: {address: %q, tls: "off"}
    leftover: {s3: {bucket: mails, prefix: left/, pathStyle: true, region: ap-northeast-1, endpoint: %q}}
`, process.FreeAddress(t), first.listen, process.FreeAddress(t), endpoint))
	first.run(t)
	first.Says(t, "agent is ready")
	var sending sync.WaitGroup
	for worker := range 8 {
		sending.Go(func() {
			for n := worker; n < leftMails; n += 8 {
				if err := sendSMTP(first.listen, fmt.Sprintf("<bucket.%d@client.test>", n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	sending.Wait()
	if code := first.Stop(t); code != lifecycle.ExitLeftOver {
		t.Errorf("mail is left over and the exit status is %d", code)
	}
	for _, part := range first.receipt(t).Parts {
		if err := part.Check(); err != nil || part.LeftOver != leftMails || part.Lost > 0 {
			t.Errorf("%+v: %v", part, err)
		}
		where = part.Where
	}
	return where
}

// objects is how many objects are below an s3://BUCKET/PREFIX.
func objects(t *testing.T, backend gofakes3.Backend, where string) int {
	t.Helper()
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(where, "s3://"), "/")
	list, err := backend.ListBucket(bucket, &gofakes3.Prefix{HasPrefix: true, Prefix: prefix}, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	return len(list.Contents)
}
