package mailrelay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"yadokari/mailrelay/sink"
	"yadokari/mailrelay/spool"
	"yadokari/mailrelay/wire"
)

// leftInDir makes a leftover directory with so many mails.
func leftInDir(t *testing.T, mails int) string {
	t.Helper()
	dir := t.TempDir()
	s, _, err := spool.Open(dir, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]int, mails)
	for n := range list {
		list[n] = n
	}
	each(list, 500, func(n int) {
		e := &wire.Envelope{From: fmt.Sprintf("a%d@b.test", n), To: []string{"x@y.test", "z@y.test"}, Accepted: time.Now()}
		if _, err := s.Append(uint64(n+1), e, []byte(letter)); err != nil {
			t.Error(err)
		}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// senders counts the mails of a sink by sender.
func senders(s *sink.Server) map[string]int {
	n := map[string]int{}
	for _, m := range s.Mails() {
		n[m.From]++
	}
	return n
}

// countingDisk counts fsyncs of files.
type countingDisk struct {
	spool.Disk
	syncs *atomic.Int64
}

type countingFile struct {
	spool.File
	syncs *atomic.Int64
}

func (d countingDisk) Create(name string) (spool.File, error) {
	f, err := d.Disk.Create(name)
	return countingFile{f, d.syncs}, err
}

func (f countingFile) Sync() error {
	f.syncs.Add(1)
	return f.File.Sync()
}

// Thousands of mails are taken back with few fsyncs.
func TestInjectSharesFsyncs(t *testing.T) {
	const mails = 3000
	c := settings()
	c.Spool, c.Queue.Messages = t.TempDir(), mails
	var syncs atomic.Int64
	r := start(t, c, Options{files: countingDisk{syncs: &syncs}})
	if n, err := inject(r, leftInDir(t, mails)); n != mails || err != nil {
		t.Fatal(n, err)
	}
	if n := syncs.Load(); n > mails/10 {
		t.Errorf("%d fsyncs for %d mails", n, mails)
	}
}

// A call ends when its time is over, and the next one goes on where it ended.
func TestInjectInManyCalls(t *testing.T) {
	const mails = 2*batchMails + 100
	c := settings()
	c.Spool, c.Queue.Messages = t.TempDir(), mails
	s := upstreamFor(t, &c, sink.Script{})
	r := start(t, c, Options{})
	dir := leftInDir(t, mails)
	var calls []Taken
	for more := true; more; more = calls[len(calls)-1].More {
		taken, err := r.Inject(context.Background(), Order{From: dir}, 0)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, taken)
	}
	if len(calls) != 3 || calls[0].Mails != batchMails || calls[2].Mails != 100 {
		t.Errorf("%+v", calls)
	}
	until(t, func() bool { return r.Counts().Mails.Delivered >= mails })
	if n := len(senders(s)); n != mails || len(s.Mails()) != mails {
		t.Errorf("%d mails arrived, %d distinct ones", len(s.Mails()), n)
	}
}

// A mail for which there is never room does not hold up the others.
func TestInjectPassesTooLargeMail(t *testing.T) {
	dir := leftInDir(t, 5)
	s, _, err := spool.Open(dir, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(1000, &wire.Envelope{From: "large@b.test", To: to("x@y.test")}, make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := settings()
	c.Spool, c.Queue.Bytes = t.TempDir(), 1<<20
	r := start(t, c, Options{})
	for _, want := range []int{5, 0} {
		taken, err := r.Inject(context.Background(), Order{From: dir}, time.Hour)
		if taken.Mails != want || taken.Full || err == nil || !strings.Contains(err.Error(), "queue.bytes") {
			t.Errorf("%+v, %v", taken, err)
		}
	}
}

// What is left over in a bucket is taken from there, as far as there is room, and no mail twice.
func TestInjectFromBucket(t *testing.T) {
	c := settings()
	o := bucketFor(t, &c, func(int) bool { return false })
	res := leaveInBucket(t, c)
	for _, from := range []string{"s3://mails/left/nobody-1/", "s3://mails/lef"} {
		if taken, err := start(t, withSpool(t, c), Options{}).Inject(t.Context(), Order{From: from}, time.Hour); taken.Mails != 0 || err != nil {
			t.Errorf("%s: %+v, %v", from, taken, err)
		}
	}
	c = withSpool(t, c)
	c.Queue.Messages, c.Queue.Bytes = 8, 32<<20 // an object holds 13 mails
	var open atomic.Bool
	s := upstreamFor(t, &c, sink.Script{OnText: func(sink.Mail) string {
		if open.Load() {
			return ""
		}
		return "451 4.3.0 not now"
	}})
	r := start(t, c, Options{})
	taken, err := r.Inject(t.Context(), Order{From: res.Where}, time.Hour)
	if taken.Mails != 8 || !taken.Full || err == nil {
		t.Fatalf("%+v, %v", taken, err)
	}
	open.Store(true)
	for total := taken.Mails; total < bucketMails; total += taken.Mails {
		r.FlushAll()
		if taken, err = r.Inject(t.Context(), Order{From: strings.TrimSuffix(res.Where, "/")}, time.Hour); err != nil && !taken.Full {
			t.Fatal(err)
		}
	}
	until(t, func() bool { return r.Counts().Mails.Delivered >= bucketMails })
	if n := len(senders(s)); n != bucketMails || r.Counts().Mails.Injected != bucketMails {
		t.Errorf("%d distinct mails arrived; %+v", n, r.Counts())
	}
	if left := o.left(); len(left) > 0 {
		t.Errorf("left in the bucket: %v", left)
	}
}

func withSpool(t *testing.T, c Config) Config {
	c.Spool = t.TempDir()
	return c
}

// Without leave to remove what it takes, a relay takes no more than it must to find that out, and says so.
func TestInjectCannotRemove(t *testing.T) {
	c := settings()
	o := bucketFor(t, &c, func(int) bool { return false })
	res := leaveInBucket(t, c)
	o.mu.Lock()
	o.keep = true
	o.mu.Unlock()
	c = withSpool(t, c)
	c.Queue.Bytes = 32 << 20
	taken, err := start(t, c, Options{}).Inject(t.Context(), Order{From: res.Where}, time.Hour)
	if taken.Mails == 0 || taken.Mails == bucketMails || err == nil || !strings.Contains(err.Error(), "removed by hand") {
		t.Errorf("%+v, %v", taken, err)
	}
}

// A damaged part of an object is set aside in the bucket; the rest of the object is taken.
func TestInjectDamagedObject(t *testing.T) {
	c := settings()
	o := bucketFor(t, &c, func(int) bool { return false })
	res := leaveInBucket(t, c)
	first := o.left()[0]
	o.content[first][len(o.content[first])/2] ^= 1
	c = withSpool(t, c)
	c.Queue.Bytes = 32 << 20
	taken, err := start(t, c, Options{}).Inject(t.Context(), Order{From: res.Where}, time.Hour)
	if taken.Mails != bucketMails-1 || err != nil || len(taken.Damaged) != 1 {
		t.Fatalf("%+v, %v", taken, err)
	}
	path := "/" + strings.TrimPrefix(taken.Damaged[0], bucketScheme)
	if left := o.left(); !slices.Equal(left, []string{path}) {
		t.Errorf("%v is set aside, and %v is in the bucket", path, left)
	}
}

// The settings of a bucket are those of the order, of leftover.s3 if it is the same bucket, and the surroundings'.
func TestBucketOf(t *testing.T) {
	c := settings()
	bucketFor(t, &c, func(int) bool { return false })
	r := &Relay{config: c}
	same, err := r.bucketOf(Order{From: "s3://mails/other/app-1"})
	if err != nil || same.Prefix != "other/app-1/" || same.Endpoint != c.Leftover.S3.Endpoint || !same.PathStyle || same.Region != "ap-northeast-1" {
		t.Errorf("%+v, %v", same, err)
	}
	other, err := r.bucketOf(Order{From: "s3://more", Region: "eu-west-1", Endpoint: "https://s3.test"})
	if err != nil || other.Prefix != "" || other.Bucket != "more" || other.Endpoint != "https://s3.test" || other.PathStyle || other.Region != "eu-west-1" {
		t.Errorf("%+v, %v", other, err)
	}
	if _, err := r.bucketOf(Order{From: "s3://more", Endpoint: "nonsense"}); err == nil {
		t.Error("a wrong endpoint is taken")
	}
}
