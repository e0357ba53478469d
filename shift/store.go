package shift

import (
	"context"
	"errors"
	"fmt"
)

// ErrConflict is returned by Store.Save when the stored revision is not the one the snapshot was
// made from: somebody else has saved. Load and decide anew.
var ErrConflict = errors.New("the state was changed by somebody else")

// ErrNotOwner is returned by Store.Save while another process is the only one that may write.
var ErrNotOwner = errors.New("another process owns the state")

// Store keeps the state of all routes, for one gateway or for several that share it. Its methods are
// safe for concurrent use.
type Store interface {
	// Load returns what is stored, the zero Snapshot when nothing was ever saved. A state that is
	// there but cannot be understood is a *DamagedError.
	Load(ctx context.Context) (Snapshot, error)
	// Save replaces the stored snapshot of revision s.Revision by s and numbers it s.Revision+1. When
	// it returns nil the snapshot survives a crash of the machine. On ErrConflict and ErrNotOwner
	// nothing was written; after any other error the stored snapshot may be the former or s, and
	// saving again with the same Revision must work in both cases.
	Save(ctx context.Context, s Snapshot) error
	// Watch sends when Load may have something new to say or Save may work that did not: another
	// gateway saved, or this process became the owner. It closes the channel when ctx ends.
	Watch(ctx context.Context) <-chan struct{}
}

// DamagedError is a stored state that cannot be used. It is never overwritten: a person decides.
type DamagedError struct {
	Name string // the file or object
	Err  error  // what is wrong with it
}

// Error names the file, what is wrong with it, and what to do.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the state %s cannot be used: %v; restore it from a backup, or move it away to begin with every user on the old side, then reload",
		e.Name, e.Err)
}

// Unwrap returns what is wrong.
func (e *DamagedError) Unwrap() error { return e.Err }
