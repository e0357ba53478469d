package keys

import (
	"encoding/base64"
	"encoding/binary"
	"time"
)

const seatSize = 20

// Seat is what the cookie of a backend with affinity says: on which server the user is. It is not
// signed: a Mark can be no more than copied, and who changes the rest changes only where he sits.
type Seat struct {
	// User ranks the servers, for the day on which his own goes.
	User uint64
	// Server is the Mark of the server; never 0.
	Server uint64
	// Issued is when the cookie was given, to the second.
	Issued time.Time
}

// String is the cookie's value.
func (s Seat) String() string {
	var value [seatSize]byte
	binary.BigEndian.PutUint64(value[:], s.User)
	binary.BigEndian.PutUint64(value[8:], s.Server)
	binary.BigEndian.PutUint32(value[16:], uint32(s.Issued.Unix()))
	return base64.RawURLEncoding.EncodeToString(value[:])
}

// ParseSeat reads a cookie's value.
func ParseSeat(text string) (s Seat, ok bool) {
	var value [seatSize]byte
	if len(text) != base64.RawURLEncoding.EncodedLen(seatSize) {
		return Seat{}, false
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(value[:], []byte(text)); err != nil || n != seatSize {
		return Seat{}, false
	}
	s = Seat{
		User: binary.BigEndian.Uint64(value[:]), Server: binary.BigEndian.Uint64(value[8:]),
		Issued: time.Unix(int64(binary.BigEndian.Uint32(value[16:])), 0),
	}
	return s, s.Server != 0
}
