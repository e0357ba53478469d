package logshipper

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// FileStatus says how far one file is shipped to one output.
type FileStatus struct {
	Path         string `json:"path"`
	Output       string `json:"output"`
	ID           string `json:"id,omitempty"` // empty: never read
	Size         int64  `json:"size"`
	Acknowledged int64  `json:"acknowledged"` // offset
	Backlog      int64  `json:"backlog"`
	LeftOver     int64  `json:"leftOver,omitempty"` // moved to Leftover.Dir at the stop
	// Oldest is when the oldest byte that is not acknowledged was first seen; zero: there is none, or
	// nobody has looked since it was written.
	Oldest time.Time `json:"oldest,omitzero"`
	// Missing tells that the file is not there, or, with a Problem, that it could not be opened.
	Missing bool   `json:"missing,omitempty"`
	Problem string `json:"problem,omitempty"`

	node inode
	gone bool // nothing more is read of it: what is at its path may be another file
}

// problem is why a file could not be opened; empty: it could.
func problem(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Status lists every file that is shipped.
func (s *Shipper) Status() (all []FileStatus) {
	for _, p := range s.pipes {
		p.mu.Lock()
		for _, f := range p.files.list {
			all = append(all, FileStatus{
				Path: f.path, Output: p.output.key(), ID: f.id, Size: f.size, Acknowledged: f.acked.offset - f.left,
				Backlog: f.backlog(), LeftOver: f.left, Oldest: f.since(), Missing: f.missing, Problem: problem(f.trouble),
				node: inode{f.dev, f.ino}, gone: f.ended || f.missing,
			})
		}
		all = append(all, p.unopenedFiles()...)
		p.mu.Unlock()
	}
	return all
}

// ReadStatus says the same from the checkpoints and the files as they are on disk, whether or not an agent
// runs.
func ReadStatus(configs []Config) (all []FileStatus, err error) {
	for i := range configs {
		for _, output := range configs[i].To.list() {
			some, err := readStatus(&configs[i], &output)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
	}
	return all, nil
}

func readStatus(c *Config, output *Output) (all []FileStatus, err error) {
	path := filepath.Join(c.Checkpoints, checkpointName(c.Path, output.key()))
	known := &checkpoint{}
	data, err := os.ReadFile(path)
	if err == nil {
		known, err = parseCheckpoint(data)
	}
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("logs: checkpoint %s: %w", path, err)
	}
	since := map[string]time.Time{}
	for _, e := range known.Files {
		since[e.ID] = e.Since
	}
	s := newFiles(c)
	lost := s.restore(known, true, time.Now()) // as an agent finds them when it starts
	for _, f := range append(lost, s.list...) {
		one := FileStatus{
			Path: f.path, Output: output.key(), ID: f.id, Size: f.size, Acknowledged: f.acked.offset, Backlog: f.backlog(), Problem: problem(f.trouble),
			node: inode{f.dev, f.ino}, gone: f.handle == nil,
		}
		if one.Missing = f.handle == nil; one.Backlog > 0 {
			one.Oldest = since[f.id]
		}
		f.close()
		all = append(all, one)
	}
	return append(all, s.unknown(output.key())...), nil
}

// unknown are files that match and were never read.
func (s *files) unknown(output string) (all []FileStatus) {
	paths, _ := filepath.Glob(s.config.Path) // a pattern that is not valid matches nothing
	for _, path := range paths {
		handle, err := s.open(path)
		if err != nil {
			all = append(all, s.shut(path, output, err)...)
			continue
		}
		info, err := handle.Stat()
		if err == nil && info.Size() > 0 && s.inodes[inodeOf(info)] == nil && !s.isNoted(handle, inodeOf(info), info.Size()) {
			all = append(all, FileStatus{Path: path, Output: output, Size: info.Size(), Backlog: info.Size(), node: inodeOf(info)})
		}
		_ = handle.Close() // it was only read
	}
	return all
}

// shut is the status of a path that cannot be opened; none if nothing is there, or it is in the list already.
func (s *files) shut(path, output string, err error) []FileStatus {
	known := slices.ContainsFunc(s.list, func(f *file) bool { return f.missing && f.path == path })
	if isGone(err) || known {
		return nil
	}
	size := int64(0)
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	return []FileStatus{unopenedStatus(path, output, size, err)}
}

// Handler answers with Report.
func (s *Shipper) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Report{Counts: s.Counts(), Files: ByFile(s.Status())}) // the client may have gone
	})
}

// Report says how a shipper fares.
type Report struct {
	Counts Counts `json:"counts"`
	Files  []File `json:"files"`
}
