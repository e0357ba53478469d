package mailrelay

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// server accepts connections and knows those that are open.
type server struct {
	relay     *Relay
	listeners []net.Listener
	tcp       net.Listener // of the listeners, the port

	mu       sync.Mutex
	sessions map[*session]struct{}
	closed   bool
	running  sync.WaitGroup
}

func listen(r *Relay) (*server, error) {
	s := &server{relay: r, sessions: map[*session]struct{}{}}
	if r.config.Listen != "" {
		ln, err := net.Listen("tcp", r.config.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
		s.tcp = ln
		s.listeners = append(s.listeners, ln)
	}
	if r.config.Socket != "" {
		ln, err := listenSocket(r.config.Socket)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("socket: %w", err), s.close())
		}
		s.listeners = append(s.listeners, ln)
	}
	return s, nil
}

// listenSocket takes the place of a socket that a killed process has left, but not of one in use.
func listenSocket(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if c, err := net.Dial("unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("%s is in use by another process", path), c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

func (s *server) addr() net.Addr {
	if s.tcp == nil {
		return nil
	}
	return s.tcp.Addr()
}

// serve accepts connections, unless the server has been closed already.
func (s *server) serve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	for _, ln := range s.listeners {
		s.running.Go(func() { s.accept(ln) })
	}
}

func (s *server) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files
			s.relay.log.Error("mail: accept", "error", err.Error())
			time.Sleep(50 * time.Millisecond)
			continue
		}
		s.greet(conn)
	}
}

// greet starts a session, or tells the client why there is none.
func (s *server) greet(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refusal := ""
	switch {
	case s.closed || s.relay.refusing.Load():
		refusal = stopping
	case len(s.sessions) >= s.relay.config.Limits.Connections:
		refusal = "421 4.7.0 " + s.relay.hostname + " has too many clients, try again later\r\n"
	}
	if refusal != "" {
		s.running.Go(func() { turnAway(conn, refusal) })
		return
	}
	x := newSession(s.relay, conn)
	s.sessions[x] = struct{}{}
	s.running.Go(func() {
		x.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sessions, x)
	})
}

func turnAway(conn net.Conn, refusal string) {
	_ = conn.SetDeadline(time.Now().Add(time.Second)) // courtesy only: errors change nothing
	_, _ = conn.Write([]byte(refusal))
	_ = conn.Close()
}

// refuse wakes the connections that idle.
func (s *server) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := range s.sessions {
		x.interrupt()
	}
}

// finish closes the listeners and waits until no mail is arriving any more, or until cut is closed; then
// what is open is closed, and deliveries that clients wait for are given up: their mails go to the queue.
func (s *server) finish(cut <-chan struct{}) error {
	ended := make(chan struct{})
	err := s.close()
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return err
	case <-cut:
	}
	s.relay.giveUp()
	s.mu.Lock()
	for x := range s.sessions {
		_ = x.conn.Close() // it may have ended by itself
	}
	s.mu.Unlock()
	<-ended
	return err
}

// close closes the listeners.
func (s *server) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	for _, ln := range s.listeners {
		errs = append(errs, ln.Close())
	}
	return errors.Join(errs...)
}
