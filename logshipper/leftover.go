package logshipper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"yadokari/durable"
)

const (
	manifestName = "leftover.json"
	restSuffix   = ".rest"
)

// leftover is what is on disk of a leftover: a checkpoint of files that begin where they were acknowledged,
// and where they come from.
type leftover struct {
	Host    string `json:"host"`
	Pod     string `json:"pod,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	checkpoint
}

// leave copies what is not acknowledged to a directory of its own below Leftover.Dir, and acknowledges it.
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
	name := fmt.Sprintf("%s-%s-%s", pathPart(p.where.Host), now.UTC().Format("20060102T150405Z"), strings.TrimSuffix(filepath.Base(p.store), ".json"))
	dir := filepath.Join(p.config.Leftover.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("leftover: %w", err)
	}
	l := leftover{Host: p.where.Host, Pod: p.where.Pod, Cluster: p.where.Cluster}
	l.checkpoint = checkpoint{Version: 1, Path: p.config.Path, Output: p.output.key(), Saved: now, Looked: now}
	ends := make([]mark, len(rest))
	for i, f := range rest {
		e, end, err := f.copyRest(filepath.Join(dir, f.id+restSuffix))
		if err != nil {
			return fmt.Errorf("leftover: %s: %w", f.path, err)
		}
		ends[i] = end
		l.Files = append(l.Files, e)
	}
	if err := errors.Join(writeJSON(filepath.Join(dir, manifestName), l), durable.SyncDir(p.config.Leftover.Dir)); err != nil {
		return fmt.Errorf("leftover: %w", err)
	}
	for i, f := range rest {
		f.left = ends[i].offset - f.acked.offset
		p.counts.LeftOver += f.left
		f.acked, f.read, f.size = ends[i], ends[i], ends[i].offset
		p.note(f)
	}
	p.left, p.dirty = dir, true
	return nil
}

// copyRest copies what is not acknowledged to path, and returns its entry there and the mark at its end.
func (f *file) copyRest(path string) (entry, mark, error) {
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
	e := f.entry()
	e.Path, e.Base, e.Head, e.HeadLen, e.Size = filepath.Base(path), e.Offset, hash(head), headLen, end.offset
	e.Out = 0 // it begins a copy of its own
	e.Tail = hash(xxhash.Sum64(nil))
	return e, end, nil
}
