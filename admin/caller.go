package admin

import (
	"context"
	"fmt"
)

// Role is what a caller may do. A higher role may do all that a lower one may.
type Role int

// The roles. A handler for Anyone is called without asking who calls.
const (
	Anyone   Role = iota
	Viewer        // looks
	Operator      // looks and changes
)

// String is the role as it is written in the token file.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	}
	return "anyone"
}

// UnmarshalText reads viewer or operator.
func (r *Role) UnmarshalText(text []byte) error {
	switch string(text) {
	case "viewer":
		*r = Viewer
	case "operator":
		*r = Operator
	default:
		return fmt.Errorf("%q is not a role: write viewer or operator", text)
	}
	return nil
}

// Identity is a caller: the name under which the ledger records what it does, and its role.
type Identity struct {
	Name string
	Role Role
}

type identityKey struct{}

// Caller is who sent the request that ctx belongs to; the zero Identity where nobody was asked for.
func Caller(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}

const maxName = 64

// validName tells whether a caller may go by name: 1 to 64 letters, digits and . _ - @ +, so that it
// reads the same in a ledger, a log line and a header.
func validName(name string) bool {
	for _, c := range []byte(name) {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '.' || c == '_' || c == '-' || c == '@' || c == '+') {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}
