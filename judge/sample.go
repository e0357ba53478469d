package judge

// A sample remembers something of users within bounded memory: of all of them while they are few, then of
// every second one, every fourth …, chosen by a hash of their key that has nothing to do with the side
// on which the key places them, so that whoever is left out is left out on both sides alike.
//
// Source: Wegman's adaptive sampling; P. Flajolet, "On adaptive sampling", Computing 43 (1990).
type sample[T any] struct {
	most  int
	level uint
	users map[uint64]T
}

func newSample[T any](most int) sample[T] { return sample[T]{most: most, users: map[uint64]T{}} }

// holds reports whether a user is one of those that are remembered.
func (s *sample[T]) holds(user uint64) bool { return mix(user)>>(64-s.level) == 0 }

// put remembers v of a user, if he is one of those.
func (s *sample[T]) put(user uint64, v T) {
	if !s.holds(user) {
		return
	}
	s.users[user] = v
	for len(s.users) > s.most {
		s.level++
		for u := range s.users {
			if !s.holds(u) {
				delete(s.users, u)
			}
		}
	}
}

// scale is how many users each of the remembered ones stands for.
func (s *sample[T]) scale() uint64 { return 1 << s.level }

// mix is the finaliser of MurmurHash3 (Austin Appleby, public domain): its upper bits tell nothing of the
// upper bits of x, which decide on the side.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
