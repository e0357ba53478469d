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

	"golang.org/x/sys/unix"
)

// clusters is the folder below os.TempDir() that holds one folder for every running cluster.
const clusters = "yadokari-kube"

// folder is what a cluster leaves on the machine while it runs: a folder, and cgroups of the same
// name. The owner holds a lock on the file "owner" in it, which the kernel lets go of when the
// owner dies, however it dies; that file also holds the owner's process id, for people.
type folder struct {
	path  string
	owner *os.File
}

// cgroup is the name of the folder's cgroups.
func (f *folder) cgroup() string { return clusters + "-" + filepath.Base(f.path) }

func (f *folder) file(name ...string) string {
	return filepath.Join(append([]string{f.path}, name...)...)
}

// base returns the folder of all clusters, made if missing. It must be root's own: everything below
// it is trusted.
func base() (string, error) {
	path := filepath.Join(os.TempDir(), clusters)
	if err := os.Mkdir(path, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 || st.Mode&0o022 != 0 {
		return "", fmt.Errorf("%s must be a folder that only root can write to", path)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return path, usable(path)
}

// usable refuses a folder that the cluster's own mounts would hide from it, and one whose name is too
// long for the sockets in it.
func usable(path string) error {
	for _, hidden := range []string{"/proc", "/run", "/var/lib", "/var/log"} {
		if strings.HasPrefix(path, hidden+"/") {
			return fmt.Errorf("%s is below %s, where the cluster has a folder of its own; set TMPDIR to another", path, hidden)
		}
	}
	// A socket's path has at most 107 bytes (unix(7)); a cluster's folder and its socket take up to 45.
	if len(path) > 60 {
		return fmt.Errorf("%s is too long for the paths of sockets below it; set TMPDIR to another", path)
	}
	return nil
}

// makeFolder makes the folder of a new cluster, owned by this process.
func makeFolder() (*folder, error) {
	all, err := base()
	if err != nil {
		return nil, err
	}
	unlock, err := lockFile(filepath.Join(all, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	// 0711: a container that is not root's must reach the files mounted into it.
	path, err := os.MkdirTemp(all, strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o711); err != nil {
		return nil, err
	}
	owner, err := os.Create(filepath.Join(path, "owner"))
	if err != nil {
		return nil, err
	}
	f := &folder{path: path, owner: owner}
	if err := unix.Flock(int(owner.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock %s: %w", owner.Name(), err)
	}
	_, err = fmt.Fprintln(owner, os.Getpid())
	return f, err
}

// clearLeftovers ends and removes what is left of clusters whose owners are dead.
func clearLeftovers(ctx context.Context, log func(string, ...any)) error {
	all, err := base()
	if err != nil {
		return err
	}
	unlock, err := lockFile(filepath.Join(all, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		path := filepath.Join(all, e.Name())
		owner, err := os.OpenFile(filepath.Join(path, "owner"), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if err := unix.Flock(int(owner.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = owner.Close() // its owner lives
			continue
		}
		log("removing what a cluster with a dead owner left: %s", path)
		failed = append(failed, (&folder{path: path, owner: owner}).remove(ctx))
	}
	return errors.Join(failed...)
}

// release removes the folder of a cluster that this process owns.
func (f *folder) release(ctx context.Context) error {
	// Under the lock, so that nobody takes the folder, half removed, for a dead owner's.
	unlock, err := lockFile(filepath.Join(filepath.Dir(f.path), "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	return f.remove(ctx)
}

// remove ends what is left in the cgroups, and removes them and the folder. Mounts need no care: they
// belong to the mount namespace of the processes just ended, and are not visible here. The caller
// holds the lock of all clusters.
func (f *folder) remove(ctx context.Context) error {
	defer f.owner.Close()
	if err := removeCgroup(ctx, f.cgroup()); err != nil {
		return err
	}
	return os.RemoveAll(f.path)
}

// lockFile waits for the lock on a file, made if missing, and returns what lets go of it.
func lockFile(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}
