package kube

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Image is a container image of one layer, made from files of this machine.
type Image struct {
	// Name is the image's name and tag, such as "tracker:1", as pods write it. A pod must not ask for
	// a pull: with any tag but latest the default is right.
	Name string
	// Files are the files in the image: absolute path there to path here. A file that is executable here
	// is mode 0755 there, any other 0644; all belong to root.
	Files map[string]string
	// Dirs are folders in the image with their modes, such as "/tmp": 0o777|fs.ModeSticky. Those that
	// files need are made anyway, mode 0755.
	Dirs map[string]fs.FileMode
	// Entrypoint is the program and its first arguments.
	Entrypoint []string
	// Env is the environment, KEY=value.
	Env []string
	// User is "UID", "UID:GID" or empty for root; there are no names unless Files has /etc/passwd.
	User string
	// WorkingDir is where the program starts; empty: /.
	WorkingDir string
}

// ImportImage makes an image and gives it to the node. The same Image made of the same files has the
// same digest. A name that exists already stands for the new image from now on.
func (c *Cluster) ImportImage(ctx context.Context, image Image) error {
	archive, err := os.CreateTemp(c.folder.path, "image-*.tar")
	if err != nil {
		return err
	}
	defer os.Remove(archive.Name())
	defer archive.Close()
	if err := image.write(archive); err != nil {
		return fmt.Errorf("image %s: %w", image.Name, err)
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := c.ctr(ctx, archive, "images", "import", "-"); err != nil {
		return fmt.Errorf("image %s: %w", image.Name, err)
	}
	return nil
}

// ctr runs containerd's client in the namespace that kubelet uses.
func (c *Cluster) ctr(ctx context.Context, in io.Reader, args ...string) error {
	args = append([]string{"--address", c.folder.file("containerd.sock"), "--namespace", "k8s.io"}, args...)
	cmd := exec.CommandContext(ctx, "/usr/bin/ctr", args...)
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, tail(out, 5))
	}
	return nil
}

// write writes the archive that "docker save" would: manifest.json, the image's configuration and the
// layer. Times are zero and names sorted, so that the digest depends on nothing else.
func (i Image) write(w io.Writer) error {
	if len(i.Entrypoint) == 0 || !strings.Contains(i.Name, ":") {
		return fmt.Errorf("needs a name with a tag and an entrypoint")
	}
	var layer bytes.Buffer
	if err := i.writeLayer(&layer); err != nil {
		return err
	}
	config, err := i.config(sha256.Sum256(layer.Bytes()))
	if err != nil {
		return err
	}
	configName := digest(config) + ".json"
	const layerName = "layer/layer.tar"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": configName, "RepoTags": []string{i.Name}, "Layers": []string{layerName},
	}})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, entry := range []struct {
		name    string
		content []byte
	}{{"manifest.json", manifest}, {configName, config}, {layerName, layer.Bytes()}} {
		if err := writeFile(archive, entry.name, 0o644, entry.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (i Image) config(layer [sha256.Size]byte) ([]byte, error) {
	return json.Marshal(map[string]any{
		"created":      time.Unix(0, 0).UTC(),
		"architecture": runtime.GOARCH,
		"os":           runtime.GOOS,
		"config": map[string]any{
			"Entrypoint": i.Entrypoint, "Env": i.Env, "User": i.User, "WorkingDir": i.WorkingDir,
		},
		"rootfs": map[string]any{
			"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(layer[:])},
		},
	})
}

func (i Image) writeLayer(w io.Writer) error {
	layer := tar.NewWriter(w)
	dirs := i.folders()
	// A parent sorts before what is in it.
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		mode := dirs[dir]
		header := &tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: int64(mode.Perm())}
		if mode&fs.ModeSticky != 0 {
			header.Mode |= 0o1000 // as tar writes the sticky bit
		}
		if err := layer.WriteHeader(header); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		source := i.Files[name]
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		if err := writeFile(layer, path.Join("/", name)[1:], mode, content); err != nil {
			return err
		}
	}
	return layer.Close()
}

// folders returns every folder of the image but the root.
func (i Image) folders() map[string]fs.FileMode {
	dirs := map[string]fs.FileMode{}
	addParents := func(name string) {
		for dir := path.Dir(path.Join("/", name)); dir != "/"; dir = path.Dir(dir) {
			dirs[dir] = 0o755
		}
	}
	for name := range i.Files {
		addParents(name)
	}
	for name := range i.Dirs {
		addParents(name)
	}
	for name, mode := range i.Dirs {
		dirs[path.Join("/", name)] = mode
	}
	return dirs
}

func writeFile(w *tar.Writer, name string, mode int64, content []byte) error {
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))})
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
