package keys

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	returningSlots = 1 << 13
	// patience is how many cookies in a row a client may be given that none of its kind brings back.
	patience = 4
)

// Returning remembers which kinds of clients, told apart by their address and their program, have brought
// a cookie back lately. It is a table of 64 KiB in which the last one of two that meet stays; who is
// forgotten is taken for one that keeps no cookies.
type Returning struct {
	seed  maphash.Seed
	slots [returningSlots]atomic.Uint64 // a hash, and in the last three bits how many cookies are out
}

// NewReturning makes an empty table.
func NewReturning() *Returning { return &Returning{seed: maphash.MakeSeed()} }

// Back takes note that a client of that kind has brought its cookie back.
func (t *Returning) Back(address, program string) {
	kind, slot := t.find(address, program)
	if slot.Load() != kind { // nearly always it is: no other core has to hear of it
		slot.Store(kind)
	}
}

// Keeps reports whether clients of that kind keep cookies, so that one without has come for the first
// time. It is asked once for each cookie that is given.
func (t *Returning) Keeps(address, program string) bool {
	kind, slot := t.find(address, program)
	for {
		known := slot.Load()
		if known&^7 != kind || known&7 >= patience {
			return false
		}
		if slot.CompareAndSwap(known, known+1) {
			return true
		}
	}
}

func (t *Returning) find(address, program string) (kind uint64, slot *atomic.Uint64) {
	var h maphash.Hash
	h.SetSeed(t.seed)
	_, _ = h.WriteString(address) // a hash takes everything
	_ = h.WriteByte(0)
	_, _ = h.WriteString(program)
	sum := h.Sum64()
	return sum &^ 7, &t.slots[sum>>32%returningSlots]
}
