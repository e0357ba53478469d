package gateway

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// secretLength is the shortest secret a tester may have, in characters.
const secretLength = 16

// override lets a tester who knows a secret choose the side of a request.
type override struct {
	header string
	secret [sha256.Size]byte
}

// newOverride reads the secret; c may be nil.
func newOverride(c *Override) (*override, error) {
	if c == nil {
		return nil, nil
	}
	text, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("override.secretFile: %w", err)
	}
	secret := bytes.TrimSpace(text)
	if len(secret) < secretLength {
		return nil, fmt.Errorf("override.secretFile: %s: the secret has %d characters, at least %d are needed", c.SecretFile, len(secret), secretLength)
	}
	return &override{header: http.CanonicalHeaderKey(c.Header), secret: sha256.Sum256(secret)}, nil
}

// backend is the name of the backend that the request asks for with the right secret; empty: none.
func (o *override) backend(r *http.Request) string {
	if o == nil {
		return ""
	}
	values := r.Header[o.header]
	if len(values) == 0 {
		return ""
	}
	name, secret, _ := strings.Cut(values[0], ":")
	given := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(given[:], o.secret[:]) != 1 {
		return ""
	}
	return name
}
