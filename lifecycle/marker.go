package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

const maxMarker = 4 << 10 // bytes of a marker that are read

// Mark is a marker that was found: the file an app leaves when it has written everything out.
type Mark struct {
	// Written is when the file was last written.
	Written time.Time `json:"written"`
	// Exit is the code the app says it ended with; nil: it does not say.
	Exit *int `json:"exit,omitempty"`
	// Fault is what is wrong with what the marker says; it is a marker all the same.
	Fault string `json:"fault,omitempty"`

	inode uint64
}

// Same tells whether m and another are one file that was not written again; nil is no file.
func (m *Mark) Same(other *Mark) bool {
	if m == nil || other == nil {
		return m == other
	}
	return m.inode == other.inode && m.Written.Equal(other.Written)
}

// FindMark looks for the marker at path. That there is none is no error, and nil.
func FindMark(path string) (*Mark, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for who writes to it
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("marker: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("marker: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("marker: %s is not a file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxMarker+1))
	if err != nil {
		return nil, fmt.Errorf("marker: %w", err)
	}
	mark := parseMark(text)
	mark.Written = info.ModTime()
	mark.inode = inodeOf(info)
	return mark, nil
}

// parseMark reads what an app wrote into its marker: nothing, {"exit": CODE} with whatever else the app
// likes to say, or text that means nothing here.
func parseMark(text []byte) *Mark {
	m := &Mark{}
	text = bytes.TrimSpace(text)
	switch {
	case len(text) > maxMarker:
		m.Fault = fmt.Sprintf("it is longer than %d bytes", maxMarker)
		return m
	case len(text) == 0 || text[0] != '{':
		return m
	}
	var said struct {
		Exit *int `json:"exit"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		m.Fault = "it cannot be read: " + err.Error()
		return m
	}
	if said.Exit != nil && (*said.Exit < 0 || *said.Exit > 255) {
		m.Fault = fmt.Sprintf("%d is not an exit code", *said.Exit)
		return m
	}
	m.Exit = said.Exit
	return m
}

// ClearMark removes the marker at path, which an earlier run has left. It is for whoever starts the app,
// before it starts it; beside an app that others start, the marker may be fresh.
func ClearMark(path string) (found bool, err error) {
	mark, err := FindMark(path)
	if mark == nil || err != nil {
		return false, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, fmt.Errorf("marker of an earlier run: %w", err)
	}
	return true, nil
}

// LeaveMark writes a marker at path: {"exit": CODE}. It appears whole or not at all.
func LeaveMark(path string, exit int) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, fmt.Appendf(nil, "{\"exit\":%d}\n", exit), 0o644); err != nil {
		return fmt.Errorf("own marker: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(fmt.Errorf("own marker: %w", err), os.Remove(temporary))
	}
	return nil
}

// ParseGrace reads a pod's grace period: whole seconds, as terminationGracePeriodSeconds is written, or
// a duration such as 1m30s. It must be more than zero and at most a day.
func ParseGrace(text string) (time.Duration, error) {
	text = strings.Trim(strings.TrimSpace(text), `"`)
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil || d <= 0 || d > 24*time.Hour {
		return 0, fmt.Errorf("%q is not a grace period: write seconds, as in 60", text)
	}
	return d, nil
}
