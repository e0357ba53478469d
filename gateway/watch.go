package gateway

import (
	"io"
	"net"
	"os"
	"syscall"
)

// watch waits for a byte on a connection without first asking for it in vain, as Read does: one system
// call less for every request, since nearly no user sends anything while waiting for an answer. What
// arrived in the moment before the wait began is not noticed until the wait is ended, which net/http
// does when the request has been answered; it is only learnt late then that the user has left. So it is for
// HTTP/1 alone: a frame of HTTP/2 may hold one byte, and that one is there already.
type watch struct {
	raw    syscall.RawConn
	step   func(fd uintptr) bool // w.try, made once
	buffer []byte
	waited bool
	n      int
	err    error
}

// newWatch returns nil for a connection that is not a socket.
func newWatch(c net.Conn) *watch {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	w := &watch{raw: raw}
	w.step = w.try
	return w
}

// read waits for the first byte and reads what fits into p. Only one goroutine reads a connection.
func (w *watch) read(p []byte) (int, error) {
	w.buffer, w.waited, w.n, w.err = p, false, 0, nil
	err := w.raw.Read(w.step)
	w.buffer = nil
	switch {
	case err != nil:
		return 0, err
	case w.err != nil:
		return 0, os.NewSyscallError("read", w.err)
	case w.n == 0:
		return 0, io.EOF
	}
	return w.n, nil
}

// try is called at once, when it asks to be called again once the socket is readable, and then.
func (w *watch) try(fd uintptr) bool {
	if !w.waited {
		w.waited = true
		return false
	}
	for {
		w.n, w.err = syscall.Read(int(fd), w.buffer)
		if w.err != syscall.EINTR {
			return w.err != syscall.EAGAIN
		}
	}
}
