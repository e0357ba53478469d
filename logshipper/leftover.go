package logshipper

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"yadokari/durable"
)

const (
	manifestName = "leftover.json"
	progressName = "progress.json"
	restSuffix   = ".rest"
	noteEvery    = 250 * time.Millisecond // between two manifests, each of which names all files
)

// leftover is what is on disk of a leftover: a checkpoint of files that begin where they were acknowledged,
// and where they come from.
type leftover struct {
	Host    string `json:"host"`
	Pod     string `json:"pod,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	checkpoint
}

// leaving is a leftover in the making.
type leaving struct {
	pipe   *pipe
	dir    string
	all    leftover
	copied []*file // not in the manifest yet
	ends   []mark
	noted  time.Time // when the manifest was written
}

// leave copies what is not acknowledged to a directory of its own below Leftover.Dir, and acknowledges it. It
// locks the pipe only for moments, so that others can tell how far it is; the smallest rests go first, and
// what is copied is in the manifest soon: whoever ends the process meanwhile loses the files that are not.
func (p *pipe) leave(now time.Time) error {
	var rest []*file
	for _, f := range p.files.list {
		if f.handle != nil && !f.ended && f.backlog() > 0 {
			rest = append(rest, f)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	slices.SortStableFunc(rest, func(a, b *file) int { return cmp.Compare(a.backlog(), b.backlog()) })
	name := fmt.Sprintf("%s-%s-%s", pathPart(p.where.Host), now.UTC().Format("20060102T150405Z"), strings.TrimSuffix(filepath.Base(p.store), ".json"))
	l := leaving{pipe: p, dir: filepath.Join(p.config.Leftover.Dir, name)}
	for n := 2; isThere(filepath.Join(l.dir, manifestName)); n++ { // an agent on this host stopped a moment ago
		l.dir = filepath.Join(p.config.Leftover.Dir, fmt.Sprintf("%s-%d", name, n))
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("leftover: %w", err)
	}
	lock, err := lockStore(filepath.Join(l.dir, progressName)) // nobody ships it, and removes it, before it is whole
	if err != nil {                                            // to leave it is worth more
		p.log.Warn("log leftover is not locked: ship it when this agent has ended", "error", err.Error())
	} else {
		defer func() { _ = lock.Close() }() // nothing was written to it
	}
	l.all = leftover{Host: p.where.Host, Pod: p.where.Pod, Cluster: p.where.Cluster}
	l.all.checkpoint = checkpoint{Version: 1, Path: p.config.Path, Output: p.output.key(), Saved: now, Looked: now}
	var errs []error
	for _, f := range rest {
		errs = append(errs, l.copy(f))
	}
	return errors.Join(append(errs, l.note())...)
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// copy copies one rest.
func (l *leaving) copy(f *file) error {
	l.pipe.mu.Lock()
	e := f.entry()
	l.pipe.mu.Unlock()
	path := filepath.Join(l.dir, f.id+restSuffix)
	e, end, err := f.copyRest(e, path)
	if err != nil {
		return errors.Join(fmt.Errorf("leftover: %s: %w", f.path, err), os.Remove(path))
	}
	l.all.Files = append(l.all.Files, e)
	l.copied, l.ends = append(l.copied, f), append(l.ends, end)
	if time.Since(l.noted) < noteEvery {
		return nil
	}
	return l.note()
}

// note writes the manifest, and acknowledges what is new in it.
func (l *leaving) note() error {
	if len(l.copied) == 0 {
		return nil
	}
	p := l.pipe
	if err := errors.Join(writeJSON(filepath.Join(l.dir, manifestName), l.all), durable.SyncDir(p.config.Leftover.Dir)); err != nil {
		return fmt.Errorf("leftover: %w", err)
	}
	l.noted = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range l.copied {
		f.left = l.ends[i].offset - f.acked.offset
		p.counts.LeftOver += f.left
		f.acked, f.read, f.size = l.ends[i], l.ends[i], l.ends[i].offset
		p.note(f)
	}
	l.copied, l.ends = nil, nil
	p.left, p.dirty = l.dir, true
	return nil
}

// copyRest copies what is not acknowledged to path, and makes of its entry e the one there; the mark is at its end.
func (f *file) copyRest(e entry, path string) (entry, mark, error) {
	to, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return entry{}, mark{}, err
	}
	defer func() { _ = to.Close() }() // it is synced
	size, err := io.Copy(to, io.NewSectionReader(f.handle, f.acked.offset-f.base, f.backlog()))
	if err == nil {
		err = to.Sync()
	}
	if err != nil {
		return entry{}, mark{}, err
	}
	headLen := min(size, headSize)
	head, err := hashOf(to, 0, headLen)
	if err != nil {
		return entry{}, mark{}, err
	}
	end := mark{offset: f.acked.offset + size, out: f.acked.out} // the output got none of it
	length := min(tailSize, end.offset-f.base)
	if end.tail, err = hashOf(f.handle, end.offset-f.base-length, length); err != nil {
		return entry{}, mark{}, err
	}
	e.Path, e.Base, e.Head, e.HeadLen, e.Size = filepath.Base(path), e.Offset, hash(head), headLen, end.offset
	e.Birth = 0 // what it begins is in another inode now
	e.Out = 0   // it begins a copy of its own
	e.Tail = hash(xxhash.Sum64(nil))
	return e, end, nil
}
