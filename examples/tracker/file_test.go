package tracker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
)

const fileHead = "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n" +
	"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\\\dir\\\\a \\\"b\\\".bin\"\r\n" +
	"Content-Type: text/html\r\n\r\n"

func upload(v *visitor, content io.Reader) reply {
	v.t.Helper()
	body := io.MultiReader(strings.NewReader(fileHead), content, strings.NewReader("\r\n--b--\r\n"))
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.url+"/files", body)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	r.Header.Set("Accept", "application/json")
	return v.do(r)
}

func TestUploadStreams(t *testing.T) {
	const size = 50 << 20
	s := newSite(t, Config{})
	alice := login(t, s.url, "alice")
	want := sha256.New()
	content := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), want)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := upload(alice, content).want(http.StatusCreated)
	runtime.ReadMemStats(&after)
	// All that both sides ever allocated, not only what was alive at once.
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("uploading %d bytes allocated %d bytes", size, used)
	}
	var file File
	if err := json.Unmarshal([]byte(r.body), &file); err != nil {
		t.Fatal(err)
	}
	if file.Size != size || file.SHA256 != hex.EncodeToString(want.Sum(nil)) || file.Author != "alice" {
		t.Errorf("stored as %+v", file)
	}
	response, err := alice.Get(s.url + file.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got := sha256.New()
	if _, err := io.Copy(got, response.Body); err != nil || hex.EncodeToString(got.Sum(nil)) != file.SHA256 {
		t.Errorf("came back as other bytes (%v)", err)
	}
	alice.get(file.URL(), "Range", "bytes=100-199").want(http.StatusPartialContent)
	alice.get(file.URL(), "If-None-Match", `"`+file.SHA256+`"`).want(http.StatusNotModified)
	alice.get("/files").has("a &#34;b&#34;.bin")
	h := response.Header
	if h.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") {
		t.Errorf("a stored page would run: %v", h)
	}
}

func TestUploadThatIsRefusedLeavesNothing(t *testing.T) {
	s := newSite(t, Config{MaxUpload: 1000})
	alice := login(t, s.url, "alice")
	upload(alice, strings.NewReader(strings.Repeat("x", 1000))).want(http.StatusCreated)
	upload(alice, strings.NewReader(strings.Repeat("x", 1001))).want(http.StatusRequestEntityTooLarge)
	alice.request(http.MethodPost, "/files", "x", "Content-Type", "text/plain").want(http.StatusBadRequest)
	alice.request(http.MethodPost, "/files", "--b--\r\n", "Content-Type", "multipart/form-data; boundary=b").want(http.StatusBadRequest)
	visit(t, s.url).request(http.MethodPost, "/files", "x").want(http.StatusUnauthorized)
	// A body that ends early.
	r := alice.request(http.MethodPost, "/files", fileHead+"half", "Content-Type", "multipart/form-data; boundary=b")
	if r.StatusCode < 400 {
		t.Errorf("half a file was stored: %d", r.StatusCode)
	}
	names, err := os.ReadDir(s.store.files)
	if err != nil || len(names) != 1 || names[0].Name() != "1" {
		t.Errorf("directory: %v, %v", names, err)
	}
}

func TestCleanName(t *testing.T) {
	for given, want := range map[string]string{
		"a.txt": "a.txt", `C:\dir\b.txt`: "b.txt", "../../etc/passwd": "passwd", "": "unnamed", "/": "unnamed", ".": "unnamed",
		"a\r\nb\x00": "ab", strings.Repeat("é", 150): strings.Repeat("é", 100),
	} {
		if got := cleanName(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
