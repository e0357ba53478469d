package stack

import "testing"

// Breakage is one way in which a new side is worse than the old one.
type Breakage struct {
	// Name is short, for the command line; What says what users get.
	Name, What string
	// Break changes a side that has not started.
	Break func(*testing.T, *Side)
}
