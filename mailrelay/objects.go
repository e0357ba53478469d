package mailrelay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"yadokari/cloud"
	"yadokari/cloud/bucket"
	"yadokari/mailrelay/spool"
)

const bucketScheme = "s3://"

const (
	// readTime is for all that one Inject reads: who asked for it waits 30 s for an answer.
	readTime = 20 * time.Second
	// noteTime is for one note of what was taken, even when that time is over.
	noteTime   = 5 * time.Second
	mostObject = 2 * spool.MaxText
)

// bucket takes what is in the objects below a prefix, one object after the other: each is a spool's segment,
// so that little is in memory and little is taken twice.
func (in *injection) bucket(o Order) error {
	c, err := in.relay.bucketOf(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(in.ctx, readTime)
	defer cancel()
	store, err := bucket.Open(ctx, c, nil)
	if err != nil {
		return err
	}
	keys, err := store.List(ctx, c.Prefix)
	if err != nil {
		return err
	}
	var errs []error
	for _, seg := range segmentsOf(keys) {
		if over, err := in.over(); over {
			errs = append(errs, err)
			break
		}
		where := bucketScheme + c.Bucket + "/" + seg.folder
		files := &objectFS{ctx: ctx, store: store, folder: seg.folder, names: seg.names}
		damaged := len(in.taken.Damaged)
		err := in.spool(".", files)
		for i := range in.taken.Damaged[damaged:] {
			in.taken.Damaged[damaged+i] = where + in.taken.Damaged[damaged+i]
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s%s: %w", where, seg.names[0], err))
		}
		if fatal(err) {
			break
		}
	}
	return errors.Join(errs...)
}

// bucketOf is how the bucket of an order is reached. Its Prefix is that of the objects, and ends a folder.
func (r *Relay) bucketOf(o Order) (bucket.Config, error) {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(o.From, bucketScheme), "/")
	c := bucket.Config{Access: cloud.Access{Timeout: readTime}}
	if left := r.config.Leftover.S3; left != nil && left.Bucket == name {
		c = *left
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	c.Bucket, c.Prefix = name, prefix
	if o.Region != "" {
		c.Region = o.Region
	}
	if o.Endpoint != "" {
		c.Endpoint = o.Endpoint
	}
	c.PathStyle = c.PathStyle || o.PathStyle
	return c, c.Validate()
}

// objectSegment is the objects of one segment: its mails and, if an earlier call did not take them all, its
// marks.
type objectSegment struct {
	folder string // "" or with a slash at its end
	names  []string
}

// segmentsOf sorts keys; those of other objects are left out.
func segmentsOf(keys []string) (list []objectSegment) {
	for _, key := range keys {
		folder, name := path.Split(key)
		stem, ok := spool.SegmentName(name)
		if !ok {
			continue
		}
		if n := len(list) - 1; n >= 0 && list[n].folder == folder && strings.HasPrefix(list[n].names[0], stem) {
			list[n].names = append(list[n].names, name)
		} else {
			list = append(list, objectSegment{folder, []string{name}})
		}
	}
	return list
}

// objectFS is one segment in a bucket as the file system of a spool. Files are in memory; Sync stores one.
type objectFS struct {
	ctx    context.Context
	store  *bucket.Store
	folder string
	names  []string // there from the start
}

var _ spool.FS = (*objectFS)(nil)

// MkdirAll implements spool.FS: a bucket has no directories.
func (*objectFS) MkdirAll(string) error { return nil }

// Lock implements spool.FS. It keeps nobody out: two agents that take the same objects at once take them
// twice.
func (*objectFS) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// List implements spool.FS.
func (f *objectFS) List(string) ([]string, error) { return f.names, nil }

// SyncDir implements spool.FS: a name is there as soon as its object is.
func (*objectFS) SyncDir(string) error { return nil }

// Create implements spool.FS.
func (f *objectFS) Create(name string) (spool.File, error) {
	if slices.Contains(f.names, name) {
		return nil, fmt.Errorf("%s: %w", name, os.ErrExist)
	}
	return &objectFile{fs: f, key: f.folder + name}, nil
}

// Open implements spool.FS.
func (f *objectFS) Open(name string) (spool.File, error) {
	if !slices.Contains(f.names, name) {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	content, err := f.store.Get(f.ctx, f.folder+name, mostObject)
	return &objectFile{fs: f, key: f.folder + name, content: content}, err
}

// Remove implements spool.FS. What is safe in our spool must go there even if nobody waits any more.
func (f *objectFS) Remove(name string) error {
	ctx, cancel := f.atLast()
	defer cancel()
	return f.store.Delete(ctx, f.folder+name)
}

func (f *objectFS) atLast() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(f.ctx), noteTime)
}

// objectFile is an object in memory.
type objectFile struct {
	fs  *objectFS
	key string

	mu      sync.Mutex
	content []byte
	changed bool
}

// ReadAt implements io.ReaderAt.
func (o *objectFile) ReadAt(p []byte, off int64) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if off >= int64(len(o.content)) {
		return 0, io.EOF
	}
	n := copy(p, o.content[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (o *objectFile) WriteAt(p []byte, off int64) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if grow := off + int64(len(p)) - int64(len(o.content)); grow > 0 {
		o.content = append(o.content, make([]byte, grow)...)
	}
	o.changed = true
	return copy(o.content[off:], p), nil
}

// Truncate implements spool.File.
func (o *objectFile) Truncate(size int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.content, o.changed = o.content[:size], true
	return nil
}

// Size implements spool.File.
func (o *objectFile) Size() (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return int64(len(o.content)), nil
}

// Sync implements spool.File.
func (o *objectFile) Sync() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.changed {
		return nil
	}
	ctx, cancel := o.fs.atLast()
	defer cancel()
	if err := o.fs.store.PutPlain(ctx, o.key, o.content); err != nil {
		return err
	}
	o.changed = false
	return nil
}

// Close implements spool.File.
func (*objectFile) Close() error { return nil }
