// Package kube starts a real Kubernetes for tests: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler, kubelet, kube-proxy, containerd and runc, one node, with pods that are real
// processes in real cgroups.
//
// A cluster lives in namespaces of its own (processes, mounts, network, host name), so it meets neither
// the machine's network nor another cluster, and ends as a whole: README.md tells how.
package kube

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options says how a cluster is started. The zero value is fine.
type Options struct {
	// Log is told what takes time, such as testing.T.Logf; nil: nobody is told.
	Log func(format string, args ...any)
	// Logs is a folder, made if missing, that gets the components' and the pods' logs when the cluster
	// stops; empty: they go with the cluster.
	Logs string
}

// Cluster is a running cluster. Its methods may be called from several goroutines at once.
type Cluster struct {
	// Client calls the API server as system:masters.
	Client kubernetes.Interface
	// Config is what Client was made from, for other clients of the same API.
	Config *rest.Config

	folder  *folder
	keeping *keeping
	bin     string // the Kubernetes components
	log     func(string, ...any)
	logs    string

	stop    sync.Once
	stopErr error
}

// bootLimit bounds the time from the first process to a node that takes pods, on the slowest machine
// worth testing on.
const bootLimit = 3 * time.Minute

// Start installs what is missing (Debian packages), builds what is not yet built, removes what
// clusters with dead owners left, and starts a cluster. It returns when the node takes pods. ctx bounds
// the start only; Stop ends the cluster, and so does the death of this process.
//
// The error says what the machine lacks (root, a capability, a cgroup controller, a kernel feature), or
// which component failed, with the end of its log.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	log := opts.Log
	if log == nil {
		log = func(string, ...any) {}
	}
	if err := able(); err != nil {
		return nil, err
	}
	if err := prepare(ctx); err != nil {
		return nil, err
	}
	bin, err := Components(ctx, log)
	if err != nil {
		return nil, err
	}
	if err := clearLeftovers(ctx, log); err != nil {
		return nil, fmt.Errorf("remove what an earlier cluster left: %w", err)
	}
	f, err := makeFolder()
	if err != nil {
		return nil, fmt.Errorf("make the cluster's folder: %w", err)
	}
	c := &Cluster{folder: f, bin: bin, log: log, logs: opts.Logs}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// prepare installs packages, one process at a time.
func prepare(ctx context.Context) error {
	all, err := base()
	if err != nil {
		return err
	}
	unlock, err := lockFile(filepath.Join(all, "install.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	return installPackages(ctx)
}

func (c *Cluster) start(ctx context.Context) error {
	begun := time.Now()
	source, err := sources()
	if err != nil {
		return err
	}
	if err := os.Mkdir(c.folder.file("bin"), 0o755); err != nil {
		return err
	}
	for _, name := range programs {
		if err := Build(ctx, source, "./"+name, c.folder.file("bin", name)); err != nil {
			return err
		}
	}
	if err := writeSettings(c.folder); err != nil {
		return err
	}
	token, authority, err := writeSecrets(c.folder)
	if err != nil {
		return err
	}
	c.Config = &rest.Config{
		Host: apiServer, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: authority},
		Dial: c.Dial, QPS: 200, Burst: 400,
	}
	if c.Client, err = kubernetes.NewForConfig(c.Config); err != nil {
		return err
	}
	if err := makeCgroup(c.folder.cgroup()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, bootLimit, fmt.Errorf("not started within %s", bootLimit))
	defer cancel()
	if c.keeping, err = startKeeper(ctx, c.folder.file("bin", "keeper"), c.folder); err != nil {
		return err
	}
	if err := c.boot(ctx); err != nil {
		return err
	}
	c.log("the cluster is ready after %s, in %s", time.Since(begun).Round(time.Millisecond), c.folder.path)
	return nil
}

// Kubeconfig is the path of a kubeconfig of system:masters. Its address is in the cluster's
// network: use it with Command.
func (c *Cluster) Kubeconfig() string { return c.folder.file("admin.kubeconfig") }

// Folder is the cluster's folder; its log folder has the components' logs. Stop removes it.
func (c *Cluster) Folder() string { return c.folder.path }

// stopLimit bounds the removal of cgroups whose processes the kernel has been told to kill.
const stopLimit = 30 * time.Second

// Stop kills every process of the cluster, pods included, and removes its mounts, network, cgroups and
// folder. Pods get no grace period: delete those whose end matters first. Later calls
// return what the first returned.
func (c *Cluster) Stop() error {
	c.stop.Do(func() {
		var failed []error
		if c.keeping != nil {
			failed = append(failed, c.keeping.stop())
		}
		if c.logs != "" {
			failed = append(failed, c.saveLogs())
		}
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		failed = append(failed, c.folder.release(ctx))
		if err := errors.Join(failed...); err != nil {
			c.stopErr = fmt.Errorf("stop the cluster in %s: %w", c.folder.path, err)
		}
	})
	return c.stopErr
}

func (c *Cluster) saveLogs() error {
	for from, to := range map[string]string{"log": "components", "pods": "pods"} {
		if _, err := os.Stat(c.folder.file(from)); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := os.CopyFS(filepath.Join(c.logs, to), os.DirFS(c.folder.file(from))); err != nil {
			return fmt.Errorf("save the logs: %w", err)
		}
	}
	return nil
}
