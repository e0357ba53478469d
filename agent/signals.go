package agent

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"yadokari/lifecycle"
)

// signals tells signals apart by what they are for.
type signals struct {
	stop   chan string     // the name of the first that asks for a stop
	hurry  context.Context // ends with the second
	others chan os.Signal  // are for the app
	end    func()
}

// handedOn are the signals that are the app's: to read its settings again, to open its logs again, to
// dump its threads, to have more workers or fewer, to go on. What ends or stops a process by default and is not here is left to the system.
func handedOn() []os.Signal {
	return []os.Signal{
		syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
		syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT,
	}
}

// watchSignals begins to listen. If ctx has ended, the first signal has come before.
func watchSignals(ctx context.Context, command bool) *signals {
	hurry, cancel := context.WithCancelCause(context.Background())
	s := &signals{stop: make(chan string, 1), hurry: hurry, others: make(chan os.Signal, 16)}
	asked := make(chan os.Signal, 4)
	signal.Notify(asked, syscall.SIGTERM, os.Interrupt)
	if command {
		signal.Notify(s.others, handedOn()...)
	} else {
		signal.Ignore(syscall.SIGHUP) // it is meant for the app, and must not end the agent
	}
	first := ctx.Err() == nil
	quit := make(chan struct{})
	go func() {
		for {
			select {
			case name := <-asked:
				if first {
					first = false
					s.stop <- name.String()
					continue
				}
				cancel(lifecycle.ErrHurried)
				return
			case <-quit:
				return
			}
		}
	}()
	s.end = func() {
		signal.Stop(asked)
		if signal.Stop(s.others); !command {
			signal.Reset(syscall.SIGHUP)
		}
		close(quit)
		cancel(nil)
	}
	return s
}

// forward hands signals on to the app's first process, during the stop too; what that does for its workers
// is its own affair.
func (p *process) forward(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case s := <-signals:
			child, number := p.child.Load(), s.(syscall.Signal)
			if child == nil {
				continue
			}
			if err := child.Signal(number); err != nil {
				p.log.Error("a signal was not handed on", "error", err.Error())
			}
		case <-ctx.Done():
			return
		}
	}
}
