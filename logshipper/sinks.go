package logshipper

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"yadokari/cloud/bucket"
	"yadokari/logshipper/firehose"
)

// Names are the outputs, for people: firehose:STREAM@REGION, s3:BUCKET/PREFIX@REGION, dir:PATH, stdout.
func (o *Outputs) Names() (all []string) {
	for _, one := range o.list() {
		all = append(all, one.key())
	}
	return all
}

// openSink makes the sink of one output.
func openSink(ctx context.Context, o Output, where place) (sink, error) {
	switch {
	case o.Firehose != nil:
		sender, err := firehose.New(ctx, *o.Firehose, where.Transport)
		return &streamSink{sender: sender}, err
	case o.S3 != nil:
		writer, err := bucket.New(ctx, *o.S3, where.Transport)
		return &bucketSink{writer: writer, prefix: o.S3.Prefix, host: where.Host, cluster: where.Cluster}, err
	case o.Dir != nil:
		return openDir(o.Dir.Path, where.Cluster, where.Host)
	}
	return writerSink{where.Stdout}, nil
}

// streamSink packs entries into records as large as they may be.
type streamSink struct {
	sender  *firehose.Sender
	batch   *batch // of which left is left
	records [][]byte
	left    [][]byte
}

func (s *streamSink) deliver(ctx context.Context, b *batch) (progress bool, err error) {
	if s.batch != b {
		s.records = pack(s.records[:0], b)
		s.left, s.batch = s.records, b
	}
	before := len(s.left)
	s.left, err = s.sender.Send(ctx, s.left)
	if len(s.left) > 0 {
		return len(s.left) < before, err
	}
	clear(s.records)
	s.batch = nil
	return true, nil
}

// pack cuts a batch into as few records as can be, all about as large, at the ends of entries: calls that are
// made at once are then about as large, too.
func pack(records [][]byte, b *batch) [][]byte {
	ends := b.ends
	for at := tailSize; at < b.n; {
		rest := b.n - at
		few := (rest + firehose.MostRecord - 1) / firehose.MostRecord
		end := b.n
		if few > 1 {
			end, ends = cut(b, ends, at, at+(rest+few-1)/few)
		}
		records = append(records, b.buffer[at:end])
		at = end
	}
	return records
}

// cut returns the last end of an entry up to aim, or the first one after at if there is none. Of ends, those
// before it are left out.
func cut(b *batch, ends []int32, at, aim int) (end int, left []int32) {
	if len(ends) == 0 { // every line is an entry
		if n := bytes.LastIndexByte(b.buffer[at:aim], '\n') + 1; n > 0 {
			return at + n, nil
		}
		return aim + bytes.IndexByte(b.buffer[aim:], '\n') + 1, nil
	}
	k := 0
	for k+1 < len(ends) && int(ends[k+1]) <= aim {
		k++
	}
	return int(ends[k]), ends[k+1:]
}

func (s *streamSink) lazy() bool   { return false }
func (s *streamSink) sync() error  { return nil }
func (s *streamSink) close() error { return nil }

// bucketSink writes one object for every batch.
type bucketSink struct {
	writer                *bucket.Writer
	prefix, host, cluster string
	last                  time.Time // that of the object before
}

func (s *bucketSink) deliver(ctx context.Context, b *batch) (progress bool, err error) {
	if len(b.data()) == 0 { // only the newline of a line that is there already
		return true, nil
	}
	at := s.timeOf(b)
	if err := s.writer.Put(ctx, s.keyOf(b, at), b.data()); err != nil {
		return false, err
	}
	s.last = at
	return true, nil
}

// timeOf is when the batch was begun, but later than the batch before, also when both were begun within a
// millisecond or the clock was set back: the order of the keys is that of the lines.
func (s *bucketSink) timeOf(b *batch) time.Time {
	at, next := b.began.UTC().Truncate(time.Millisecond), s.last.Add(time.Millisecond)
	if at.Before(next) {
		return next
	}
	return at
}

// keyOf is PREFIX YYYY/MM/DD/HH/CLUSTER/TIME-HOST-FILE-OFFSET.log.gz.
func (s *bucketSink) keyOf(b *batch, began time.Time) string {
	first := b.parts[0]
	cluster := ""
	if s.cluster != "" {
		cluster = s.cluster + "/"
	}
	return fmt.Sprintf("%s%s/%s%s-%s-%s-%016d.log.gz", s.prefix, began.Format("2006/01/02/15"), cluster,
		began.Format("20060102T150405.000Z"), s.host, first.file.id, first.from.offset)
}

func (s *bucketSink) lazy() bool   { return false }
func (s *bucketSink) sync() error  { return nil }
func (s *bucketSink) close() error { return nil }

// writerSink writes to standard output.
type writerSink struct{ to io.Writer }

func (s writerSink) deliver(_ context.Context, b *batch) (progress bool, err error) {
	if _, err := s.to.Write(b.data()); err != nil {
		return false, fmt.Errorf("stdout: %w", err)
	}
	return true, nil
}

func (s writerSink) lazy() bool   { return false }
func (s writerSink) sync() error  { return nil }
func (s writerSink) close() error { return nil }

// pathPart makes text fit to be one name in a path.
func pathPart(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r < ' ' {
			return '_'
		}
		return r
	}, text)
}
