package logshipper

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// unopened is a file that is to be shipped and cannot be opened: nothing of it is read, nor in any count.
type unopened struct {
	err    error
	size   int64
	tried  time.Time
	logged time.Time
}

// tell notes whether the file at path could be opened.
func (p *pipe) tell(path string, err error, now time.Time) {
	if err == nil || isGone(err) || p.isMissing(path) {
		delete(p.unopened, path)
		return
	}
	u := p.unopened[path]
	if u == nil {
		u = &unopened{}
		p.unopened[path] = u
	}
	u.err, u.tried = err, now
	if info, err := os.Stat(path); err == nil {
		u.size = info.Size()
	}
	if now.Sub(u.logged) >= logEvery {
		p.log.Error("log file cannot be opened, and is tried again", "file", path, "error", err.Error())
		u.logged = now
	}
}

// isMissing tells that the file at path is known, and listed as one that could not be opened.
func (p *pipe) isMissing(path string) bool {
	info, err := os.Stat(path)
	return slices.ContainsFunc(p.files.list, func(f *file) bool {
		return f.missing && f.trouble != nil && (err != nil && f.path == path || err == nil && f.ino == inodeOf(info).ino)
	})
}

// retry tries again what could not be opened and was not tried just now: a rotated name is not looked
// at with every scan.
func (p *pipe) retry(now time.Time) {
	for path, u := range p.unopened {
		if !u.tried.Equal(now) {
			p.adopt(path, now)
		}
	}
}

// unopenedFiles is the status of what cannot be opened, in the order of the paths.
func (p *pipe) unopenedFiles() (all []FileStatus) {
	for path, u := range p.unopened {
		all = append(all, unopenedStatus(path, p.output.key(), u.size, u.err))
	}
	slices.SortFunc(all, func(a, b FileStatus) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func unopenedStatus(path, output string, size int64, err error) FileStatus {
	one := FileStatus{Path: path, Output: output, Size: size, Backlog: size, Problem: err.Error()}
	if info, err := os.Stat(path); err == nil {
		one.node = inodeOf(info)
	}
	return one
}

// unopenedErr says what was not shipped as it could not be opened.
func (p *pipe) unopenedErr() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, f := range p.unopenedFiles() {
		errs = append(errs, fmt.Errorf("logs: %s: nothing of it is shipped to %s: %s", f.Path, f.Output, f.Problem))
	}
	return errors.Join(errs...)
}
