package keys

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

const (
	blockSize  = 16 // of AES
	signature  = 16
	tokenSize  = blockSize + signature
	clockError = time.Hour // how far apart the clocks of two gateways may be
)

// Token is what the gateway's own cookie says: who the user is to it, and since when. Nobody without
// the key can read it, tell two apart by what they say, or make one.
type Token struct {
	// Point is the user's place on the line from 0 to 2^64.
	Point uint64
	// Salt tells users with one point apart.
	Salt uint32
	// Issued is when the cookie was given, to the second.
	Issued time.Time
}

// NewToken is a token for a user at the given point.
func NewToken(point uint64, now time.Time) Token {
	return Token{Point: point, Salt: rand.Uint32(), Issued: now}
}

// Rank is a number of the user's own, evenly spread.
func (t Token) Rank() uint64 { return Mix(t.Point ^ uint64(t.Salt)<<32 ^ uint64(t.Salt)) }

// Seal is the cookie's value: one block of AES, and its signature. All of it is one random number to
// whoever has no key.
func (r *Ring) Seal(t Token) string {
	var value [tokenSize]byte
	binary.BigEndian.PutUint64(value[:], t.Point)
	binary.BigEndian.PutUint32(value[8:], t.Salt)
	binary.BigEndian.PutUint32(value[12:], uint32(t.Issued.Unix()))
	k := r.keys[0]
	k.block.Encrypt(value[:blockSize], value[:blockSize])
	copy(value[blockSize:], k.sign(value[:blockSize]))
	return base64.RawURLEncoding.EncodeToString(value[:])
}

// Open reads a cookie's value. ok is false for one that was not signed with a key of the ring, is older
// than lifetime, or from the future.
func (r *Ring) Open(text string, now time.Time, lifetime time.Duration) (t Token, ok bool) {
	var value [tokenSize]byte
	if len(text) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return Token{}, false
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(value[:], []byte(text)); err != nil || n != tokenSize {
		return Token{}, false
	}
	for _, k := range r.keys {
		if !hmac.Equal(k.sign(value[:blockSize]), value[blockSize:]) {
			continue
		}
		k.block.Decrypt(value[:blockSize], value[:blockSize])
		t = Token{
			Point: binary.BigEndian.Uint64(value[:]), Salt: binary.BigEndian.Uint32(value[8:]),
			Issued: time.Unix(int64(binary.BigEndian.Uint32(value[12:])), 0),
		}
		age := now.Sub(t.Issued)
		return t, age <= lifetime && age >= -clockError
	}
	return Token{}, false
}

// Mix spreads a number evenly (the finaliser of SplitMix64: Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014).
func Mix(n uint64) uint64 {
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
