package kube

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Version is the Kubernetes release the cluster runs; components/go.mod requires the same.
const Version = "v1.34.4"

// components are the programs built from the Kubernetes sources.
var components = []string{"kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl"}

// programs are the harness's own, built anew by every Start (the go command caches them).
var programs = []string{"keeper", "pause"}

// sources returns the folder of this package's source files, where components/, install and the
// programs are.
func sources() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", errors.New("the harness finds its sources by their path: build without -trimpath")
	}
	return filepath.Dir(file), nil
}

// Components builds the Kubernetes components that are not yet in the cache, and returns the cache's
// folder. Start calls it; calling it alone fills the cache (about ten minutes on two cores). The cache
// is ${XDG_CACHE_HOME:-~/.cache}/yadokari-test/kube-VERSION-KEY; the key changes with the Go release,
// the components' go.mod and go.sum and the build flags. A build that was cut short goes on
// where it stopped, and a program appears in the cache only when it is whole.
func Components(ctx context.Context, log func(format string, args ...any)) (string, error) {
	source, err := sources()
	if err != nil {
		return "", err
	}
	module := filepath.Join(source, "components")
	flags := buildFlags()
	cache, err := componentsCache(ctx, module, flags)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(cache + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	for _, name := range components {
		target := filepath.Join(cache, name)
		if _, err := os.Stat(target); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		log("building %s %s; the first time takes minutes", name, Version)
		if err := build(ctx, module, flags, "k8s.io/kubernetes/cmd/"+name, target); err != nil {
			return "", err
		}
	}
	return cache, nil
}

// buildFlags stamps the version: kubectl refuses a server whose version it cannot read.
func buildFlags() []string {
	const pkg = "k8s.io/component-base/version"
	part := strings.Split(strings.TrimPrefix(Version, "v"), ".")
	return []string{"-mod=readonly", "-buildvcs=false", "-ldflags", fmt.Sprintf(
		"-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s", pkg, Version, part[0], part[1])}
}

// componentsCache names the folder for this very build.
func componentsCache(ctx context.Context, module string, flags []string) (string, error) {
	home, err := os.UserCacheDir() // $XDG_CACHE_HOME or ~/.cache
	if err != nil {
		return "", fmt.Errorf("where to keep the Kubernetes components: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOARCH")
	cmd.Dir = module
	compiler, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask go for its version: %w", err)
	}
	key := sha256.New()
	fmt.Fprintf(key, "%s%q\n", compiler, flags)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		if name == "go.mod" && !bytes.Contains(content, []byte("\tk8s.io/kubernetes "+Version+" ")) {
			return "", fmt.Errorf("%s/go.mod does not require k8s.io/kubernetes %s", module, Version)
		}
		key.Write(content)
	}
	name := fmt.Sprintf("kube-%s-%s-%x", Version, strings.Fields(string(compiler))[0], key.Sum(nil)[:6])
	return filepath.Join(home, "yadokari-test", name), nil
}

// Build compiles a Go main package into a static program at target, for an image or for Command.
// Module is a folder in the module that has the package, pkg its import path or ./folder.
func Build(ctx context.Context, module, pkg, target string) error {
	return build(ctx, module, []string{"-buildvcs=false", "-ldflags", "-s -w"}, pkg, target)
}

// build compiles beside the target and renames, so that the target is whole or absent.
func build(ctx context.Context, module string, flags []string, pkg, target string) error {
	target, err := filepath.Abs(target)
	if err != nil {
		return err
	}
	unfinished := target + ".unfinished"
	args := append([]string{"build", "-o", unfinished}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = module
	// GOFLAGS stays as it is: a shared machine sets -p there.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s in %s: %w: %s", pkg, module, err, tail(out, 20))
	}
	return os.Rename(unfinished, target)
}

// installPackages runs the install script.
func installPackages(ctx context.Context) error {
	source, err := sources()
	if err != nil {
		return err
	}
	script := filepath.Join(source, "install")
	if out, err := exec.CommandContext(ctx, script).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, tail(out, 20))
	}
	return nil
}

// tail returns the last lines of a text.
func tail(text []byte, lines int) string {
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
