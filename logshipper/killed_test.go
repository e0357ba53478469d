package logshipper

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWhatAKillLeftIsRemoved finds a checkpoint that was being written when the process was killed.
func TestWhatAKillLeftIsRemoved(t *testing.T) {
	s := newStage(t, nil)
	s.must(os.Mkdir(s.config.Checkpoints, 0o700))
	own := checkpointName(s.config.Path, "dir:"+s.archive) + ".new-1"
	other := checkpointName("another path", "stdout") + ".new-1" // its agent may be writing it
	for _, name := range []string{own, other} {
		s.must(os.WriteFile(filepath.Join(s.config.Checkpoints, name), []byte("{"), 0o600))
	}
	s.open()
	defer func() { s.must(s.shipper.abort()) }()
	for name, there := range map[string]bool{own: false, other: true} {
		if _, err := os.Stat(filepath.Join(s.config.Checkpoints, name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
}
