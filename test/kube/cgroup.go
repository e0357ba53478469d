package kube

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const cgroupMount = "/sys/fs/cgroup"

// controllersNeeded are the cgroup controllers kubelet refuses to start without.
var controllersNeeded = []string{"cpu", "cpuset", "memory", "pids"}

// cgroupRoots returns the roots of every cgroup tree a container is put in: one on a machine with
// cgroup v2, one a controller with v1.
func cgroupRoots() ([]string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(cgroupMount, &st); err != nil {
		return nil, fmt.Errorf("cgroups: %s: %w", cgroupMount, err)
	}
	if st.Type == unix.CGROUP2_SUPER_MAGIC {
		offered, err := os.ReadFile(filepath.Join(cgroupMount, "cgroup.controllers"))
		if err != nil {
			return nil, err
		}
		for _, c := range controllersNeeded {
			if !strings.Contains(" "+strings.TrimSpace(string(offered))+" ", " "+c+" ") {
				return nil, fmt.Errorf("cgroup v2 at %s does not offer the controller %q", cgroupMount, c)
			}
		}
		return []string{cgroupMount}, nil
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return nil, err
	}
	var roots []string
	has := map[string]bool{}
	for _, e := range entries {
		root := filepath.Join(cgroupMount, e.Name())
		// Links are second names ("cpu" for "cpu,cpuacct").
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
			continue
		}
		has[e.Name()] = true
		if e.Type()&fs.ModeSymlink == 0 {
			roots = append(roots, root)
		}
	}
	for _, c := range controllersNeeded {
		if !has[c] {
			return nil, fmt.Errorf("cgroup v1 at %s does not offer the controller %q", cgroupMount, c)
		}
	}
	return roots, nil
}

// makeCgroup makes the cluster's group in every tree, and in it one called keeper for the cluster's
// own processes; kubelet makes one beside it for the pods.
func makeCgroup(name string) error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := enableControllers(root); err != nil {
			return err
		}
		for _, dir := range []string{filepath.Join(root, name), filepath.Join(root, name, "keeper")} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				return fmt.Errorf("cgroup: %w", err)
			}
			if err := inheritCpuset(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// enableControllers hands the needed controllers of a v2 tree down to its children; runc does so
// further down. A v1 tree has no such file.
func enableControllers(root string) error {
	if root != cgroupMount {
		return nil
	}
	file := filepath.Join(root, "cgroup.subtree_control")
	if err := os.WriteFile(file, []byte("+"+strings.Join(controllersNeeded, " +")), 0o644); err != nil {
		return fmt.Errorf("cgroup v2: hand down the controllers %v: %w", controllersNeeded, err)
	}
	return nil
}

// inheritCpuset copies the parent's processors and memory nodes: a v1 cpuset starts empty, and
// takes no process before it has some.
func inheritCpuset(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(own)) != "" {
			continue
		}
		parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			return err
		}
		if len(strings.TrimSpace(string(parent))) == 0 {
			return nil // v2: empty means the parent's
		}
		if err := os.WriteFile(filepath.Join(dir, name), parent, 0o644); err != nil {
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	return nil
}

// joinCgroup puts a process, and so what it starts, in the group's keeper.
func joinCgroup(name string, pid int) error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		file := filepath.Join(root, name, "keeper", "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroup kills by process id whatever is still in the group, and removes it. A group that is
// not there is no error.
func removeCgroup(ctx context.Context, name string) error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, root := range roots {
		for {
			err := removeTree(filepath.Join(root, name))
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("cgroup: %w", err)
			case <-tick.C: // a killed process takes a moment to leave
			}
		}
	}
	return nil
}

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		if e.IsDir() {
			failed = append(failed, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		failed = append(failed, err)
	}
	for _, field := range strings.Fields(string(procs)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			// Gone already is as good.
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		failed = append(failed, fmt.Errorf("remove %s: %w", dir, err))
	}
	return errors.Join(failed...)
}
