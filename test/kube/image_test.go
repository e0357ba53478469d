package kube

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestImageArchive(t *testing.T) {
	dir := t.TempDir()
	program, text := filepath.Join(dir, "program"), filepath.Join(dir, "text")
	for name, mode := range map[string]os.FileMode{program: 0o700, text: 0o600} {
		if err := os.WriteFile(name, []byte(filepath.Base(name)), mode); err != nil {
			t.Fatal(err)
		}
	}
	image := Image{
		Name: "sample:1", Entrypoint: []string{"/bin/program"}, Env: []string{"A=b"}, User: "7:8", WorkingDir: "/tmp",
		Files: map[string]string{"/etc/app/text": text, "/bin/program": program},
		Dirs:  map[string]os.FileMode{"/tmp": 0o777 | os.ModeSticky, "/var/spool": 0o700},
	}
	archive := write(t, image)

	// The same content at another time is the same image.
	if err := os.Chtimes(program, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(archive, write(t, image)) {
		t.Error("the archive depends on more than the content")
	}

	entries := untar(t, archive)
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(entries["manifest.json -rw-r--r--"], &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || !slices.Equal(manifest[0].RepoTags, []string{"sample:1"}) || len(manifest[0].Layers) != 1 {
		t.Fatalf("manifest %+v", manifest)
	}
	layer := entries[manifest[0].Layers[0]+" -rw-r--r--"]
	var config struct {
		Config struct {
			Entrypoint, Env  []string
			User, WorkingDir string
		} `json:"config"`
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(entries[manifest[0].Config+" -rw-r--r--"], &config); err != nil {
		t.Fatal(err)
	}
	if got, want := config.RootFS.DiffIDs, []string{"sha256:" + digest(layer)}; !slices.Equal(got, want) {
		t.Errorf("layers %q, want %q", got, want)
	}
	if got, want := fmt.Sprint(config.Config), "{[/bin/program] [A=b] 7:8 /tmp}"; got != want {
		t.Errorf("configuration %s, want %s", got, want)
	}

	files := untar(t, layer)
	for name, want := range map[string]string{
		"bin/ drwxr-xr-x": "", "bin/program -rwxr-xr-x": "program", "etc/ drwxr-xr-x": "", "etc/app/ drwxr-xr-x": "",
		"etc/app/text -rw-r--r--": "text", "tmp/ dtrwxrwxrwx": "", "var/ drwxr-xr-x": "", "var/spool/ drwx------": "",
	} {
		if got, ok := files[name]; !ok || string(got) != want {
			t.Errorf("%s holds %q, %t", name, got, ok)
		}
		delete(files, name)
	}
	if len(files) > 0 {
		t.Errorf("the layer also has %v", files)
	}
}

func TestImageErrors(t *testing.T) {
	for name, image := range map[string]Image{
		"no tag":        {Name: "sample", Entrypoint: []string{"/x"}},
		"no entrypoint": {Name: "sample:1"},
		"no such file":  {Name: "sample:1", Entrypoint: []string{"/x"}, Files: map[string]string{"/x": "/nowhere/x"}},
	} {
		if err := image.write(io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func write(t *testing.T, image Image) []byte {
	t.Helper()
	var archive bytes.Buffer
	if err := image.write(&archive); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// untar returns the contents of an archive by "NAME MODE".
func untar(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	entries := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries[header.Name+" "+header.FileInfo().Mode().String()] = content
	}
}
