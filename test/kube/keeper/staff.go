package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"yadokari/test/kube/order"
)

// staff is the processes the keeper started and has not yet seen end.
type staff struct {
	mu     sync.Mutex
	out    *json.Encoder
	byPid  map[int]string
	byName map[string]int
	ended  chan os.Signal
}

func newStaff(out *json.Encoder) *staff {
	s := &staff{out: out, byPid: map[int]string{}, byName: map[string]int{}, ended: make(chan os.Signal, 1)}
	// Asked for before the first child exists, so that no end goes unseen.
	signal.Notify(s.ended, syscall.SIGCHLD)
	return s
}

func (s *staff) answer(a order.Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Encode(a)
}

// obey carries out one order and answers it; its error is that of the answer only.
func (s *staff) obey(o order.Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := order.Answer{Name: o.Name}
	var err error
	if o.Signal != 0 {
		err = s.signal(o.Name, syscall.Signal(o.Signal))
	} else {
		a.Pid, err = s.start(o)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return s.out.Encode(a)
}

func (s *staff) signal(name string, sig syscall.Signal) error {
	pid, ok := s.byName[name]
	if !ok {
		return fmt.Errorf("no process %q runs", name)
	}
	return syscall.Kill(pid, sig)
}

// start runs a program. The caller holds the lock, so that reap cannot meet the process before it
// is written down. It forks by itself, for os/exec would wait for the process and race with reap.
func (s *staff) start(o order.Order) (int, error) {
	if _, taken := s.byName[o.Name]; taken {
		return 0, fmt.Errorf("a process %q already runs", o.Name)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	log, err := os.OpenFile(o.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	pid, err := syscall.ForkExec(o.Args[0], o.Args, &syscall.ProcAttr{
		Dir:   "/",
		Env:   o.Env,
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", o.Args[0], err)
	}
	s.byPid[pid], s.byName[o.Name] = o.Name, pid
	return pid, nil
}

// reap waits for every process that ends: those started here, and the orphans (the shims that
// containerd leaves, and what their containers leave) that fall to the first process.
func (s *staff) reap() {
	for range s.ended {
		for s.reapOne() {
		}
	}
}

func (s *staff) reapOne() bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err == syscall.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ours := s.byPid[pid]
	if !ours {
		return true
	}
	delete(s.byPid, pid)
	delete(s.byName, name)
	// An owner who no longer listens is noticed where orders are read.
	_ = s.out.Encode(order.Answer{Name: name, Ended: true, Status: describe(status)})
	return true
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
