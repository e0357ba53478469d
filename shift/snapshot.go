package shift

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// SnapshotVersion is the version of the state's format this program reads and writes.
const SnapshotVersion = 1

// Snapshot is the state of all routes at one moment. Writing it is what commits a change.
type Snapshot struct {
	// Revision grows by one with every Save. 0: nothing has been saved yet.
	Revision uint64 `json:"revision"`
	// Seq is the number of the last ledger entry that was given out.
	Seq uint64 `json:"seq"`
	// Routes holds a record of every route that was ever moved, by name.
	Routes map[string]Record `json:"routes"`
	// Outbox holds the entries that belong to this snapshot's changes and may not be in the ledger
	// yet, with growing Seq. Whoever loads the snapshot appends those that are missing.
	Outbox []Entry `json:"outbox,omitempty"`
}

// envelope is the document around a snapshot. The checksum is taken over the snapshot's compact
// JSON, so that a file that was only indented anew is still whole.
type envelope struct {
	Version  int             `json:"version"`
	Checksum string          `json:"checksum"`
	State    json.RawMessage `json:"state"`
}

// MarshalSnapshot writes s with its version and checksum, indented for people.
func MarshalSnapshot(s Snapshot) ([]byte, error) {
	if s.Routes == nil {
		s.Routes = map[string]Record{}
	}
	state, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write state: %w", err)
	}
	text, err := json.MarshalIndent(envelope{SnapshotVersion, checksum(state), state}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write state: %w", err)
	}
	return append(text, '\n'), nil
}

// UnmarshalSnapshot reads what MarshalSnapshot wrote and refuses everything else: another version, a
// checksum that does not fit, a record that makes no sense, or anything after the document's end.
func UnmarshalSnapshot(text []byte) (Snapshot, error) {
	var e envelope
	if err := decodeWhole(text, &e); err != nil {
		return Snapshot{}, err
	}
	if e.Version != SnapshotVersion {
		return Snapshot{}, fmt.Errorf("it has version %d, this program knows version %d", e.Version, SnapshotVersion)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, e.State); err != nil {
		return Snapshot{}, fmt.Errorf("it holds no state: %w", err)
	}
	if sum := checksum(compact.Bytes()); sum != e.Checksum {
		return Snapshot{}, fmt.Errorf("its checksum is %q, its content gives %q", e.Checksum, sum)
	}
	var s Snapshot
	if err := decodeWhole(e.State, &s); err != nil {
		return Snapshot{}, err
	}
	return s, s.check()
}

func (s Snapshot) check() error {
	for name, record := range s.Routes {
		if err := record.check(); err != nil {
			return fmt.Errorf("route %q: %w", name, err)
		}
	}
	last := uint64(0)
	for _, e := range s.Outbox {
		if e.Seq <= last || e.Seq > s.Seq {
			return fmt.Errorf("the ledger entry %d is out of order", e.Seq)
		}
		last = e.Seq
	}
	return nil
}

func decodeWhole(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(into); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("it ends too early")
		}
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

func checksum(state []byte) string {
	sum := sha256.Sum256(state)
	return "sha256:" + hex.EncodeToString(sum[:])
}
