package logshipper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"yadokari/durable"
)

// checkpoint is what is on disk of one pipe.
type checkpoint struct {
	Version int       `json:"version"`
	Path    string    `json:"path"`   // Config.Path
	Output  string    `json:"output"` // Output.key
	Saved   time.Time `json:"saved"`
	Looked  time.Time `json:"looked"` // for files, the last time
	Files   []entry   `json:"files"`
	Copies  []copied  `json:"copies,omitempty"`
}

// entry is what is on disk of one file.
type entry struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	Born    time.Time `json:"born"`
	Dev     uint64    `json:"dev"`
	Inode   uint64    `json:"inode"`
	Birth   int64     `json:"birth,omitempty"` // of the inode, in nanoseconds; 0: the file system does not say
	Head    hash      `json:"head"`
	HeadLen int64     `json:"headLength"`
	Base    int64     `json:"base,omitempty"`
	Offset  int64     `json:"offset"` // acknowledged
	Out     int64     `json:"out"`
	Tail    hash      `json:"tail"`
	Size    int64     `json:"size"` // seen
	Since   time.Time `json:"since,omitzero"`
}

// hash is written in hexadecimal: many readers of JSON round large numbers.
type hash uint64

// MarshalText implements encoding.TextMarshaler.
func (h hash) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(h), 16), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hash) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	*h = hash(n)
	return err
}

// checkpointName is the name of a pipe's checkpoint in Config.Checkpoints.
func checkpointName(path, output string) string {
	return fmt.Sprintf("%016x.json", xxhash.Sum64String(path+"\x00"+output))
}

// parseCheckpoint reads what encode has written, and refuses what cannot have been.
func parseCheckpoint(data []byte) (*checkpoint, error) {
	var c checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, err
	}
	if c.Version != 1 {
		return nil, fmt.Errorf("version %d is not known", c.Version)
	}
	seen := map[string]bool{}
	for i := range c.Files {
		if err := c.Files[i].check(); err != nil {
			return nil, fmt.Errorf("file %d: %w", i, err)
		}
		if seen[c.Files[i].ID] {
			return nil, fmt.Errorf("file %d: id %s is there twice", i, c.Files[i].ID)
		}
		seen[c.Files[i].ID] = true
	}
	return &c, nil
}

func (e *entry) check() error {
	switch {
	case len(e.ID) != idLength || strings.Trim(e.ID, digits) != "":
		return fmt.Errorf("%q is not an id", e.ID)
	case e.Path == "" || e.Name == "":
		return errors.New("it has no path")
	case e.HeadLen < 0 || e.HeadLen > headSize:
		return fmt.Errorf("a fingerprint of %d bytes", e.HeadLen)
	case e.Base < 0 || e.Offset < e.Base || e.Out < 0 || e.Size < e.Offset:
		return fmt.Errorf("base %d, offset %d, out %d and size %d do not go together", e.Base, e.Offset, e.Out, e.Size)
	case e.HeadLen > e.Size-e.Base:
		return fmt.Errorf("a fingerprint of %d bytes of a file of %d", e.HeadLen, e.Size-e.Base)
	}
	return nil
}

// readCheckpoint returns nil when there is none. One that is damaged is set aside and reported as an
// error beside a nil checkpoint: everything is then sent again, which is better than not at all.
func readCheckpoint(path string) (*checkpoint, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := parseCheckpoint(data)
	if err != nil {
		aside := path + ".damaged"
		return nil, errors.Join(fmt.Errorf("checkpoint %s is damaged, set aside as %s: %w", path, filepath.Base(aside), err), os.Rename(path, aside))
	}
	return c, nil
}

func writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return durable.Replace(path, append(data, '\n'), 0o600)
}

func (f *file) entry() entry {
	return entry{
		ID: f.id, Name: f.name, Path: f.path, Born: f.born, Dev: f.dev, Inode: f.ino, Birth: f.birth, Head: hash(f.head), HeadLen: f.headLen,
		Base: f.base, Offset: f.acked.offset, Out: f.acked.out, Tail: hash(f.acked.tail), Size: max(f.size, f.acked.offset), Since: f.since(),
	}
}

// file is the entry's file, not yet found on disk.
func (e *entry) file() *file {
	at := mark{offset: e.Offset, out: e.Out, tail: uint64(e.Tail)}
	f := &file{
		id: e.ID, name: e.Name, path: e.Path, born: e.Born, dev: e.Dev, ino: e.Inode, birth: e.Birth, head: uint64(e.Head), headLen: e.HeadLen,
		base: e.Base, read: at, acked: at, size: e.Size, noted: e.Offset, saved: true,
	}
	if !e.Since.IsZero() && e.Size > e.Offset {
		f.pending = []stamp{{e.Size, e.Since}}
	}
	return f
}
