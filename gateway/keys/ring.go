package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"sync"

	"yadokari/durable"
)

// leastSecret is the shortest line of a key file, in characters.
const leastSecret = 32

// Ring is the keys that cookies are signed with. The first signs, all are believed: a key is changed by
// putting the new one above it, and taken out when the last cookie of its time is over.
type Ring struct {
	keys []*key
	id   string
}

// key is what one line of the file comes to.
type key struct {
	block cipher.Block // hides what a cookie says
	signs sync.Pool    // of hash.Hash: HMAC-SHA256
	marks []byte       // the key of server marks
}

// ParseRing reads a key file: a key a line, of at least 32 characters.
func ParseRing(text []byte) (*Ring, error) {
	r := &Ring{}
	for line := range bytes.Lines(text) {
		secret := bytes.TrimSpace(line)
		if len(secret) == 0 {
			continue
		}
		if len(secret) < leastSecret {
			return nil, fmt.Errorf("line %d has %d characters, at least %d are needed", len(r.keys)+1, len(secret), leastSecret)
		}
		k, err := newKey(secret)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, k)
		r.id += string(derive(secret, "name"))
	}
	if len(r.keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return r, nil
}

func newKey(secret []byte) (*key, error) {
	block, err := aes.NewCipher(derive(secret, "hide"))
	if err != nil {
		return nil, err
	}
	k, signing := &key{block: block, marks: derive(secret, "servers")}, derive(secret, "sign")
	k.signs.New = func() any { return hmac.New(sha256.New, signing) }
	return k, nil
}

// derive makes a key for one purpose out of the secret, so that none says anything of another.
func derive(secret []byte, purpose string) []byte {
	return sum(hmac.New(sha256.New, secret), []byte("yadokari "+purpose))
}

func sum(h hash.Hash, text []byte) []byte {
	_, _ = h.Write(text) // a hash takes everything
	return h.Sum(nil)
}

// sign is the first half of the HMAC-SHA256 of text: 128 bits, as RFC 2104 (section 5) allows.
func (k *key) sign(text []byte) []byte {
	h := k.signs.Get().(hash.Hash)
	defer k.signs.Put(h)
	h.Reset()
	return sum(h, text)[:signature]
}

// ReadRing reads the key file at path.
func ReadRing(path string) (*Ring, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := ParseRing(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// ringFile is the key that a gateway makes for itself, in its state directory.
const ringFile = "cookie.key"

// OpenRing reads the key that dir holds. The first call makes it; of several processes that do at the
// same time all get the same.
func OpenRing(dir string) (*Ring, error) {
	path := filepath.Join(dir, ringFile)
	if r, err := ReadRing(path); !errors.Is(err, os.ErrNotExist) {
		return r, err
	}
	if err := makeRing(dir, path); err != nil {
		return nil, err
	}
	return ReadRing(path)
}

// makeRing makes a key, unless another process was first. It has its name once it is whole.
func makeRing(dir, path string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	temporary := path + ".new-" + hex.EncodeToString(secret[:4])
	secret = append(hex.AppendEncode(nil, secret[4:]), '\n')
	if err := durable.Replace(temporary, secret, 0o600); err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary) }() // what is left behind would never be read
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return durable.SyncDir(dir)
}

// Marks name a server of a backend in cookies, without telling its address: the first of them in new
// ones, each of them in those that are out. None is 0.
func (r *Ring) Marks(backend, server string) []uint64 {
	marks := make([]uint64, len(r.keys))
	for i, k := range r.keys {
		marks[i] = binary.BigEndian.Uint64(sum(hmac.New(sha256.New, k.marks), []byte(backend+"\x00"+server))) | 1
	}
	return marks
}

// ID tells rings apart, and says nothing of their keys.
func (r *Ring) ID() string { return r.id }
