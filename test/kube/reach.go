package kube

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial connects from the node to an address in the cluster's network: a pod's, a Service's cluster IP,
// a node port at NodeIP. The host is an IP address: the cluster has no DNS. It fits
// http.Transport.DialContext. Closing a connection is up to the caller; Stop does not.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := literal(address); err != nil {
		return nil, err
	}
	var conn net.Conn
	err := c.inside(func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens on the node, at NodeIP or 127.0.0.1, so that pods reach what a test serves.
func (c *Cluster) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if err := literal(address); err != nil {
		return nil, err
	}
	var l net.Listener
	err := c.inside(func() (err error) {
		l, err = (&net.ListenConfig{}).Listen(ctx, network, address)
		return err
	})
	return l, err
}

// literal refuses a host that would be looked up: the lookup would leave the thread, and so the
// namespace.
func literal(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if net.ParseIP(host) == nil {
		return fmt.Errorf("address %q: the host must be an IP address", address)
	}
	return nil
}

// inside runs f on a thread that is in the cluster's network namespace: a socket belongs to the
// namespace of the thread that made it, for as long as it lives. f must not start goroutines that make
// sockets.
func (c *Cluster) inside(f func() error) error {
	cluster, err := os.Open(c.keeping.netns())
	if err != nil {
		return fmt.Errorf("the cluster's network: %w", err)
	}
	defer cluster.Close()
	runtime.LockOSThread()
	outside, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer outside.Close()
	if err := unix.Setns(int(cluster.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter the cluster's network: %w", err)
	}
	result := f()
	if err := unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET); err != nil {
		// The thread stays locked, so that nothing else runs on it: it ends with its goroutine.
		return fmt.Errorf("leave the cluster's network: %w", err)
	}
	runtime.UnlockOSThread()
	return result
}

// Command is a program of the machine in the cluster's network, on the node: it sees the machine's
// files and processes, but pods and Services where the network was, and can be reached by pods. It is
// an ordinary exec.Cmd: its process id is the program's, and the caller waits for it.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "/usr/bin/nsenter", append([]string{"--net=" + c.keeping.netns(), "--", name}, args...)...)
}
