package browse

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"

	"yadokari/examples/tracker"
)

const boundary = "--------------------------tracker-browse"

func newText(text string) io.Reader { return strings.NewReader(text) }

// lacks makes a check that a page contains text.
func lacks(text string) func(answer) string {
	return func(a answer) string {
		if !bytes.Contains(a.body, []byte(text)) {
			return fmt.Sprintf("the page lacks %q, which was stored before", text)
		}
		return ""
	}
}

// upload sends a file in constant memory, and reads it back.
func (u *user) upload(v *visit) {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], u.random.Uint64())
	size := u.load.config.UploadBytes
	hash := sha256.New()
	if _, err := io.Copy(hash, fileContent(seed, size)); err != nil {
		return // a generator does not fail
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	head := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + sum[:8] +
		".bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
	tail := "\r\n--" + boundary + "--\r\n"
	q := request{
		method: http.MethodPost, path: "/files",
		body:   io.MultiReader(newText(head), fileContent(seed, size), newText(tail)),
		length: int64(len(head)) + size + int64(len(tail)),
		header: map[string]string{"Content-Type": "multipart/form-data; boundary=" + boundary, "Accept": "application/json"},
		want:   []int{http.StatusCreated},
	}
	var stored tracker.File
	_, ok := u.sendAndCheck(v, q, func(a answer) string {
		if err := json.Unmarshal(a.body, &stored); err != nil {
			return err.Error()
		}
		if stored.SHA256 != sum || stored.Size != size {
			return fmt.Sprintf("%d bytes were stored as %d other bytes", size, stored.Size)
		}
		return ""
	})
	if ok && u.load.pace.wait(v.ctx) {
		u.download(&visit{v.ctx, Download}, stored.URL(), sum)
	}
}

func (u *user) download(v *visit, path, sum string) {
	q := page(path)
	q.raw = true
	u.sendAndCheck(v, q, func(a answer) string {
		if a.sha256 != sum {
			return "the file came back with other bytes"
		}
		return ""
	})
}

func fileContent(seed [32]byte, size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8(seed), size)
}
