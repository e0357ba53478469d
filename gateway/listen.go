package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// listen gives the socket that users connect to: the one that systemd has opened (socket activation),
// or one of our own that a later process can open beside this one (SO_REUSEPORT). second says that
// another process listens there already: this one takes over from it.
func listen(ctx context.Context, address string) (l net.Listener, second bool, err error) {
	given, err := activation.Listeners()
	if err != nil {
		return nil, false, fmt.Errorf("socket activation: %w", err)
	}
	for _, l := range given {
		if l != nil {
			return l, false, nil
		}
	}
	alone, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = alone.Close() // nobody else listens; open it again so that a successor can join
	case errors.Is(err, syscall.EADDRINUSE):
		second = true
	default:
		return nil, false, fmt.Errorf("listen on %s: %w", address, err)
	}
	shared := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return onSocket(raw, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
	}}
	// Linux attaches programs (giveWay) to plain TCP sockets only, and Go's own choice is multipath TCP.
	shared.SetMultipathTCP(false)
	l, err = shared.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, false, fmt.Errorf("listen on %s: %w (another program that does not share the port?)", address, err)
	}
	return l, second, nil
}

// giveWay sends new connections to the process that has opened the port beside this one, so that
// none is in this one's queue when it closes. The kernel asks the attached program which socket of
// the group a connection goes to; the older process is the first, its successor the second. Where
// there is no second one the kernel goes on as before.
func giveWay(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil
	}
	program, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 1}})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return onSocket(raw, func(fd int) error {
		if shared, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT); err != nil || shared == 0 {
			return err // systemd's socket: it stays open, and what waits in it is the next process's
		}
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
			&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
}

func onSocket(raw syscall.RawConn, do func(fd int) error) error {
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return inner
}
