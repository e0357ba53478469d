package upstream

import (
	"crypto/tls"
	"net"
	"syscall"
)

// listener finds out whether a server has kept still on an idle connection.
type listener struct {
	socket syscall.RawConn  // nil: there is none to ask
	peek   func(fd uintptr) // l.look, made once
	still  bool
	one    [1]byte
}

func (l *listener) listenTo(c net.Conn) {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	if socket, err := s.SyscallConn(); err == nil {
		l.socket, l.peek = socket, l.look
	}
}

func (l *listener) look(fd uintptr) {
	_, _, err := syscall.Recvfrom(int(fd), l.one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	l.still = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
}

// alive reports whether the server has left an idle connection open and said nothing on it. It costs one
// system call, and is asked before every request: what a server says unasked (408, the body of an answer to
// HEAD, the answer to a request that only it has seen) would be the answer that the next user gets.
func (c *conn) alive() bool {
	if c.br.Buffered() > 0 {
		return false
	}
	if c.idle.socket == nil {
		return true
	}
	c.idle.still = false
	return c.idle.socket.Control(c.idle.peek) == nil && c.idle.still
}
