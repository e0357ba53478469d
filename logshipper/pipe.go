package logshipper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	scanEvery = time.Second            // between two looks for new files
	pollEvery = 250 * time.Millisecond // between two looks at the size of known files
	saveEvery = 10 * time.Millisecond  // between two checkpoints, unless a new file demands one; and
	savePause = 10                     // times as long as one took, so that a slow disk is left alone
	readAgain = time.Second            // after a file could not be read
	closeIdle = 5 * time.Minute        // files that are delivered and quiet are closed
	trimAfter = 10 * time.Second       // memory that nobody used is given up
)

// pipe ships the files of one Config to one output.
type pipe struct {
	config  *Config
	output  Output
	where   place
	log     *slog.Logger
	out     sink
	memory  *memory
	split   splitter
	encoder *encoder // nil: raw
	scratch []byte   // for what is not read into the batch itself
	store   string   // path of the checkpoint
	lock    *os.File
	fixed   bool // the files are those of a leftover: none is looked for

	watcher   *watcher // nil: scans find what they find
	unwatched bool     // a directory is not watched
	fresh     chan fresh
	came      bool // one of fresh was new

	mu       sync.Mutex
	files    *files
	counts   Counts
	unsynced []settled
	unopened map[string]*unopened
	left     string // the directory of what is left over
	faults   []error

	batch *batch   // being filled; nil: all are under way
	spare []*batch // empty
	full  bool     // batch takes no more
	first int      // the file that is read first, in turn

	hasty     bool      // the batch does not wait: a file that nobody else keeps may be in it
	dirty     bool      // the checkpoint on disk is not up to date
	lastScan  time.Time // zero: none yet
	nextScan  time.Time
	nextPoll  time.Time
	nextSave  time.Time
	lastTaken time.Time

	queue   chan *batch
	done    chan delivery
	flushes chan context.Context
	hurry   chan struct{} // closed when a flush begins
	limit   time.Time     // the flush's, set before hurry is closed; zero: it has none
	ended   chan struct{} // closed when run is over
}

func newPipe(c *Config, o Output, where place, m *memory, log *slog.Logger) (*pipe, error) {
	p := &pipe{
		config: c, output: o, where: where, memory: m, files: newFiles(c), unopened: map[string]*unopened{},
		log:   log.With("path", c.Path, "output", o.key()),
		split: splitter{limit: int(c.Line)}, store: filepath.Join(c.Checkpoints, checkpointName(c.Path, o.key())),
		queue: make(chan *batch), done: make(chan delivery), flushes: make(chan context.Context, 1),
		hurry: make(chan struct{}), ended: make(chan struct{}), fresh: make(chan fresh, mostFresh),
	}
	if c.Start != "" {
		start, err := regexp.Compile(c.Start)
		if err != nil {
			return nil, fmt.Errorf("start: %w", err)
		}
		p.split.start = start
	}
	if c.Format == FormatJSON {
		p.encoder = newEncoder(where.Host, where.Pod, where.Cluster)
	}
	p.scratch = make([]byte, tailSize+max(int(c.Line), 256<<10))
	if p.isDirect() {
		p.scratch = p.scratch[:tailSize]
	}
	small := tailSize + max(int(c.Line)+64<<10, worst(4<<10, int(c.Line)))
	for range 2 {
		p.spare = append(p.spare, newBatch(small))
	}
	return p, nil
}

// isDirect tells whether what is read from a file can go out as it is, uncut but at its end. Short lines
// are cut by the splitter: reading as little as they are would be slow.
func (p *pipe) isDirect() bool {
	return p.encoder == nil && p.config.Start == "" && p.config.Line >= 64<<10
}

// open takes up output and checkpoint.
func (p *pipe) open(ctx context.Context) error {
	if err := p.prepare(ctx); err != nil {
		return err
	}
	c, err := readCheckpoint(p.store)
	if err != nil {
		p.log.Error("log checkpoint", "error", err.Error())
	}
	if c == nil {
		return nil
	}
	p.restore(c)
	p.lastScan = c.Looked
	p.adoptMissed(time.Now())
	return nil
}

// prepare opens the output, and locks the checkpoint: two processes cannot have it.
func (p *pipe) prepare(ctx context.Context) (err error) {
	if p.out, err = openSink(ctx, p.output, p.where); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.store), 0o700); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if p.lock, err = lockStore(p.store); err != nil {
		return err
	}
	unfinished, _ := filepath.Glob(p.store + ".new-*") // that a kill left; nobody else writes them, with the lock
	for _, path := range unfinished {
		_ = os.Remove(path) // it only takes up space
	}
	return nil
}

// lockStore locks what belongs to a checkpoint, until the file is closed.
func lockStore(store string) (*os.File, error) {
	lock, err := os.OpenFile(store+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("checkpoint %s is used by another process: %w", store, err), lock.Close())
	}
	return lock, nil
}

// abort closes a pipe that never ran.
func (p *pipe) abort() error {
	for _, f := range p.files.list {
		f.close()
	}
	return errors.Join(p.out.close(), p.lock.Close())
}

func (p *pipe) restore(c *checkpoint) {
	lost := p.files.restore(c, !p.fixed, time.Now())
	for _, f := range p.files.list {
		p.note(f)
		if f.trouble != nil {
			p.log.Error("log file cannot be opened, and is tried again", "file", f.path, "error", f.trouble.Error())
		}
	}
	for _, f := range lost {
		p.note(f)
		p.forsake(f, f.backlog(), "it is nowhere any more")
	}
}

// note counts what was found in the file.
func (p *pipe) note(f *file) {
	if f.size > f.noted {
		p.counts.Found += f.size - f.noted
		f.noted = f.size
	}
}

// forsake counts what cannot be read any more.
func (p *pipe) forsake(f *file, bytes int64, why string) {
	p.dirty = true
	if bytes <= 0 {
		return
	}
	p.counts.Unreadable += bytes
	p.counts.Truncated++
	p.log.Error("lines lost: a file was cut before it was read", "file", f.path, "bytes", bytes, "readTo", f.read.offset, "why", why)
}

func (p *pipe) adopt(path string, now time.Time) (adopted bool) {
	f, err := p.files.adopt(path, now)
	return p.adopted(f, path, err, now)
}

func (p *pipe) adopted(f *file, path string, err error, now time.Time) bool {
	p.tell(path, err, now)
	if f != nil {
		p.note(f)
		p.dirty = true // so that its age can be told
		p.log.Debug("log file found", "file", path, "id", f.id, "size", f.size)
	}
	return f != nil
}

// welcome takes up a file that has just appeared.
func (p *pipe) welcome(f fresh, now time.Time) {
	if f.handle == nil {
		p.nextScan = now
		return
	}
	if p.files.isRotated(f.path) { // it may be a copy in the making: what it is a scan tells
		f.close()
		return
	}
	info, err := f.handle.Stat()
	if err != nil {
		f.close()
		return
	}
	known := p.files.inodes[inodeOf(info)]
	if known != nil && known.handle == nil {
		if same, err := known.compare(f.handle, known.read); same || err != nil {
			p.reopenAs(known, f.handle, f.path, now)
			return
		}
		p.truncated(known, known.size, now)
		known = nil
	}
	if known != nil {
		f.close()
		return
	}
	one, err := p.files.adoptOpen(f.handle, f.path, now)
	p.came = p.adopted(one, f.path, err, now) || p.came
}

// welcomeAll takes up all that have appeared.
func (p *pipe) welcomeAll(now time.Time) {
	for {
		select {
		case f := <-p.fresh:
			p.welcome(f, now)
		default:
			return
		}
	}
}

// scan looks for files.
func (p *pipe) scan(now time.Time) {
	p.nextScan = now.Add(scanEvery)
	p.seek(now)
	if !p.fixed {
		p.watchDirs()
		paths, _ := filepath.Glob(p.config.Path) // the pattern is valid
		for _, f := range p.files.list {
			f.listed = false
		}
		fresh := p.came
		p.came = false
		for _, path := range paths {
			fresh = p.see(path, now) || fresh
		}
		if fresh && !p.lastScan.IsZero() {
			p.adoptMissed(now)
		}
		p.retry(now)
		p.lastScan = now
		p.follow(now)
	}
	for i := len(p.files.list) - 1; i >= 0; i-- {
		p.retire(p.files.list[i], now)
	}
}

// seek looks again for files that were not there, or could not be opened.
func (p *pipe) seek(now time.Time) {
	all := places{}
	for _, f := range slices.Clone(p.files.list) {
		if !f.missing {
			continue
		}
		found, err := p.files.reattach(f, f.path, !p.fixed, now)
		if !found && err == nil {
			found, err = p.files.seek(f, all, now)
		}
		switch {
		case found:
			p.note(f)
			p.dirty = true
		case errors.Is(err, os.ErrNotExist): // its directory
			f.trouble = nil
		case err != nil:
			f.trouble = err
		case f.trouble != nil: // now it is certain
			p.files.remove(f)
			p.forsake(f, f.backlog(), "it is nowhere any more")
		}
	}
}

// follow notes which files have lost their place.
func (p *pipe) follow(now time.Time) {
	all := places{}
	for _, f := range p.files.list {
		switch {
		case f.listed:
			f.gone = time.Time{}
		case f.gone.IsZero():
			f.gone = now
			if p.files.reopenAside(f, all, now) {
				p.note(f)
				p.dirty = true
			}
		}
	}
}

// adoptMissed looks for files that came and were rotated away since the last look.
func (p *pipe) adoptMissed(now time.Time) {
	before := len(p.files.copies)
	for _, path := range p.files.missed(p.lastScan.Add(-scanEvery)) {
		p.adopt(path, now)
	}
	p.dirty = p.dirty || len(p.files.copies) > before
}

// see notes that the pattern matches a path, and tells whether a file was found there that is new.
func (p *pipe) see(path string, now time.Time) (fresh bool) {
	info, err := os.Stat(path)
	if err != nil {
		p.tell(path, err, now)
		return false
	}
	if !info.Mode().IsRegular() {
		return false
	}
	f := p.files.inodes[inodeOf(info)]
	if f == nil {
		return p.adopt(path, now)
	}
	f.listed = true
	if f.path != path {
		f.path, p.dirty = path, true
	}
	if f.handle == nil && (info.Size()+f.base != f.size || !info.ModTime().Equal(f.modTime)) {
		p.reopen(f, path, now)
	}
	return false
}

// reopen continues with a file that was closed because it was quiet.
func (p *pipe) reopen(f *file, path string, now time.Time) {
	handle, err := p.files.open(path)
	if err != nil {
		return // the next scan tries again
	}
	p.reopenAs(f, handle, path, now)
}

// reopenAs is reopen with the handle.
func (p *pipe) reopenAs(f *file, handle *os.File, path string, now time.Time) {
	same, err := f.compare(handle, f.read)
	if err != nil {
		_ = handle.Close() // it was only read
		return             // likewise
	}
	if !same {
		_ = handle.Close() // it was only read
		p.truncated(f, f.size, now)
		return
	}
	if err := p.files.attach(f, handle, path, now); err != nil {
		_ = handle.Close() // it was only read
		return
	}
	p.note(f)
}

// retire closes files that are quiet, and forgets those that are gone.
func (p *pipe) retire(f *file, now time.Time) {
	settled := f.read.offset == f.acked.offset && f.acked.offset >= f.size
	idle := now.Sub(f.changed)
	switch {
	case !settled || f.missing:
	case f.ended, p.isOver(f, now):
		p.files.remove(f)
		p.dirty = true
	case idle > closeIdle && !p.fixed && f.listed:
		f.close()
	}
}

// isOver tells that the pattern leads to the file no more, and nobody has written to it since, for Linger.
func (p *pipe) isOver(f *file, now time.Time) bool {
	return !f.listed && !p.fixed && !f.gone.IsZero() && min(now.Sub(f.changed), now.Sub(f.gone)) > p.config.Linger
}

// poll looks at the open files.
func (p *pipe) poll(now time.Time) {
	p.nextPoll = now.Add(pollEvery)
	for _, f := range p.files.list {
		if f.handle == nil {
			continue
		}
		waited := f.since().IsZero()
		shrunk, err := f.stat(now)
		switch {
		case err != nil:
			p.unreadable(f, err, now)
		case shrunk:
			p.truncated(f, f.size, now)
		case f.read.offset >= f.size:
			f.readable()
		}
		p.note(f)
		p.hasty = p.hasty || f.unlinked && f.read.offset > f.acked.offset
		if waited && !f.since().IsZero() {
			p.dirty = true
		}
	}
}

// truncated ends a file that does not hold any more what was read; it was seen to reach size. If a copy was
// made before (copytruncate), reading goes on there; the file that is now at the path is another one.
func (p *pipe) truncated(f *file, size int64, now time.Time) {
	size = max(size, f.read.offset)
	if f.noted > size { // of the next file
		p.counts.Found -= f.noted - size
		f.noted = size
	}
	p.files.detach(f)
	f.size = size
	p.nextScan, p.dirty = now, true
	handle, path, _ := p.files.findCopy(f)
	if handle == nil || p.files.attach(f, handle, path, now) != nil {
		f.size, f.ended = f.read.offset, true
		p.forsake(f, size-f.size, "truncated, and no copy was found")
		p.log.Info("log file truncated", "file", f.path, "readTo", f.read.offset)
		return
	}
	p.log.Info("log file truncated: reading goes on in its copy", "file", f.name, "copy", path, "readTo", f.read.offset)
	p.forsake(f, size-f.size, "truncated, and the copy is shorter")
	p.note(f)
}
