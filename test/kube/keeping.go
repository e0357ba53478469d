package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"yadokari/test/kube/order"
)

// keeping is the owner's side of the keeper: the first process of the cluster's namespaces.
type keeping struct {
	folder *folder
	cmd    *exec.Cmd
	line   net.Conn
	write  sync.Mutex // one order at a time

	mu      sync.Mutex
	waiting map[string]chan order.Answer // by the name of the order
	ended   map[string]string            // how processes ended, by name
	gone    chan struct{}                // closed when the keeper no longer answers
}

// startKeeper starts the program in namespaces of its own, puts it in the cluster's cgroups and waits
// until it has settled.
func startKeeper(ctx context.Context, program string, f *folder) (*keeping, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "keeper"), os.NewFile(uintptr(pair[1]), "owner")
	defer theirs.Close()
	line, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(f.file("log", "keeper.log"))
	if err != nil {
		_ = line.Close()
		return nil, err
	}
	defer log.Close()

	k := &keeping{
		folder: f, line: line,
		waiting: map[string]chan order.Answer{"": make(chan order.Answer, 1)},
		ended:   map[string]string{},
		gone:    make(chan struct{}),
	}
	k.cmd = exec.Command(program, f.path)
	k.cmd.Env = environment(f)
	k.cmd.Stdout, k.cmd.Stderr = log, log
	k.cmd.ExtraFiles = []*os.File{theirs} // becomes order.Descriptor
	k.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS,
		Setsid:     true, // an interrupt typed at the terminal is the owner's to handle
	}
	if err := k.cmd.Start(); err != nil {
		_ = line.Close()
		return nil, fmt.Errorf("start the keeper in namespaces of its own: %w", err)
	}
	go k.listen()
	settled := k.waiting[""]
	if err := joinCgroup(f.cgroup(), k.cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, k.stop())
	}
	if _, err := k.await(ctx, settled); err != nil {
		return nil, errors.Join(fmt.Errorf("settle the namespaces: %w", err), k.stop())
	}
	return k, nil
}

// environment is that of every program in the cluster: the components shall not behave by what
// the tester's shell happens to have set. The cluster's own sbin comes first: preferLegacy.
func environment(f *folder) []string {
	return []string{"PATH=" + f.file("sbin") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
}

// listen hands the keeper's answers to who waits for them.
func (k *keeping) listen() {
	defer close(k.gone)
	answers := json.NewDecoder(k.line)
	for {
		var a order.Answer
		if err := answers.Decode(&a); err != nil {
			return
		}
		k.mu.Lock()
		if a.Ended {
			k.ended[a.Name] = a.Status
		} else if c := k.waiting[a.Name]; c != nil {
			c <- a // has room for the one answer
			delete(k.waiting, a.Name)
		}
		k.mu.Unlock()
	}
}

func (k *keeping) await(ctx context.Context, c chan order.Answer) (order.Answer, error) {
	select {
	case a := <-c:
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-k.gone:
		return order.Answer{}, fmt.Errorf("the keeper has ended: %s", k.logTail("keeper"))
	case <-ctx.Done():
		return order.Answer{}, context.Cause(ctx)
	}
}

func (k *keeping) order(ctx context.Context, o order.Order) error {
	k.write.Lock()
	defer k.write.Unlock()
	c := make(chan order.Answer, 1)
	k.mu.Lock()
	k.waiting[o.Name] = c
	k.mu.Unlock()
	if err := json.NewEncoder(k.line).Encode(o); err != nil {
		return fmt.Errorf("tell the keeper: %w", err)
	}
	_, err := k.await(ctx, c)
	return err
}

// start starts a program of the cluster; its output goes to its log.
func (k *keeping) start(ctx context.Context, name string, args ...string) error {
	err := k.order(ctx, order.Order{Name: name, Args: args, Env: environment(k.folder), Log: k.log(name)})
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return nil
}

// alive says how a process ended, with the end of its log, or nil while it runs.
func (k *keeping) alive(name string) error {
	k.mu.Lock()
	status, ended := k.ended[name]
	k.mu.Unlock()
	if ended {
		return fmt.Errorf("%s ended with %s; %s", name, status, k.logTail(name))
	}
	select {
	case <-k.gone:
		return fmt.Errorf("the keeper has ended, and %s with it; %s", name, k.logTail("keeper"))
	default:
		return nil
	}
}

// log is the path of a process's log.
func (k *keeping) log(name string) string { return k.folder.file("log", name+".log") }

// logTail quotes the end of a process's log.
func (k *keeping) logTail(name string) string {
	text, err := os.ReadFile(k.log(name))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the end of %s.log:\n%s", name, tail(text, 15))
}

// stop ends the keeper, and with it every process of its process namespace. When it returns the
// kernel has reaped them all.
func (k *keeping) stop() error {
	_ = k.line.Close()
	<-k.gone
	err := k.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	_ = k.cmd.Wait() // it was killed; its status says nothing
	return err
}

// netns is the path of the cluster's network namespace.
func (k *keeping) netns() string {
	return filepath.Join("/proc", fmt.Sprint(k.cmd.Process.Pid), "ns", "net")
}
