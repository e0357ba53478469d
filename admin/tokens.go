package admin

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	minToken     = 16
	maxToken     = 512
	maxTokenFile = 1 << 20
	lookEvery    = time.Second // the least time between two looks at the token file
)

// token is one line of the token file. Only the hash of the secret is kept.
type token struct {
	hash [sha256.Size]byte
	who  Identity
}

// parseTokens reads a token file: one caller a line, NAME ROLE TOKEN; empty lines and lines that
// begin with # are skipped. An error names the line and never shows a token.
func parseTokens(from io.Reader) ([]token, error) {
	var list []token
	known := make(map[[sha256.Size]byte]int)
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		t, err := parseToken(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if earlier, ok := known[t.hash]; ok {
			return nil, fmt.Errorf("line %d: the same token as in line %d: give every line its own", n, earlier)
		}
		known[t.hash] = n
		list = append(list, t)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("no caller is listed: write lines of NAME ROLE TOKEN")
	}
	return list, nil
}

func parseToken(line string) (token, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return token{}, fmt.Errorf("%d words instead of NAME ROLE TOKEN", len(fields))
	}
	var t token
	if t.who.Name = fields[0]; !validName(t.who.Name) {
		return token{}, errors.New("the name is not made of 1 to 64 letters, digits and . _ - @ +")
	}
	if t.who.Role.UnmarshalText([]byte(fields[1])) != nil {
		return token{}, errors.New("the second word is not a role: write viewer or operator") // it may be the token
	}
	secret := fields[2]
	if len(secret) < minToken || len(secret) > maxToken {
		return token{}, fmt.Errorf("the token has %d characters: use %d to %d", len(secret), minToken, maxToken)
	}
	for _, c := range []byte(secret) {
		if c <= ' ' || c >= 0x7f {
			return token{}, errors.New("the token holds characters that a header cannot carry")
		}
	}
	t.hash = sha256.Sum256([]byte(secret))
	return t, nil
}

// tokens are the callers of a token file, read again when the file changes.
type tokens struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	looked time.Time
	seen   os.FileInfo
	list   []token
}

// openTokens reads the file; log gets a line when others can read it, and about every change.
func openTokens(path string, log *slog.Logger) (*tokens, error) {
	t := &tokens{path: path, log: log.With("tokenFile", path), looked: time.Now()}
	if err := t.read(); err != nil {
		return nil, err
	}
	return t, nil
}

// readTokens reads and parses the file; what it knows of the file is returned with an error too.
func readTokens(path string) ([]token, os.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxTokenFile+1))
	if err == nil && len(text) > maxTokenFile {
		err = fmt.Errorf("longer than %d bytes", maxTokenFile)
	}
	var list []token
	if err == nil {
		list, err = parseTokens(bytes.NewReader(text))
	}
	if err != nil {
		return nil, info, fmt.Errorf("%s: %w", path, err)
	}
	return list, info, nil
}

func (t *tokens) read() error {
	list, info, err := readTokens(t.path)
	t.seen = info // also of a file that cannot be used: it is read again when it changes
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	if info.Mode().Perm()&0o004 != 0 {
		t.log.Warn("the token file can be read by every user of this machine: chmod 600 it", "mode", info.Mode().Perm().String())
	}
	t.list = list
	return nil
}

// current is the list of the moment. A file that has changed and cannot be used leaves the former
// list in force.
func (t *tokens) current() []token {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if now.Sub(t.looked) < lookEvery {
		return t.list
	}
	t.looked = now
	info, err := os.Stat(t.path)
	if err != nil && t.seen == nil {
		return t.list // said already
	}
	if err == nil && t.seen != nil && os.SameFile(info, t.seen) && info.ModTime().Equal(t.seen.ModTime()) && info.Size() == t.seen.Size() {
		return t.list
	}
	if err := t.read(); err != nil {
		t.log.Error("the token file cannot be used; the former callers stay", "error", err)
	} else {
		t.log.Info("the token file was read again", "callers", len(t.list))
	}
	return t.list
}

// who is the caller with this secret. All tokens are compared, each in constant time and by hash, so
// that the time taken tells nothing about any of them.
func (t *tokens) who(secret string) (Identity, bool) {
	hash := sha256.Sum256([]byte(secret))
	var found Identity
	ok := false
	for _, candidate := range t.current() {
		if subtle.ConstantTimeCompare(candidate.hash[:], hash[:]) == 1 {
			found, ok = candidate.who, true
		}
	}
	return found, ok
}
