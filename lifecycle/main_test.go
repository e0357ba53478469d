package lifecycle

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain makes the test binary the programs that the tests start: LIFECYCLE_ROLE says which.
func TestMain(m *testing.M) {
	switch role, argument, _ := strings.Cut(os.Getenv("LIFECYCLE_ROLE"), ":"); role {
	case "":
		os.Exit(m.Run())
	case "parent":
		parent(argument)
	case "foster":
		foster()
	case "app":
		app(argument)
	default:
		fmt.Fprintln(os.Stderr, "no such role:", role)
		os.Exit(99)
	}
}

// parent starts an app, stops it when its stdin says so (a line with the milliseconds it is given, or
// "hurry"), and prints how that ended.
func parent(role string) {
	// A second LIFECYCLE_ROLE behind the first would not be looked at, and the child be a parent again.
	err := os.Setenv("LIFECYCLE_ROLE", "app:"+role)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(94)
	}
	child, err := Start(Command{Args: []string{os.Args[0]}, Adopt: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(98)
	}
	fmt.Println("child", child.PID())
	go func() {
		<-child.Done()
		fmt.Println("ended")
	}()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "signal "); ok {
			number, _ := strconv.Atoi(name)
			if err := child.Signal(syscall.Signal(number)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			continue
		}
		break
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if lines.Text() == "hurry" {
		cancel(ErrHurried)
	} else if n, err := strconv.Atoi(lines.Text()); err == nil {
		time.AfterFunc(time.Duration(n)*time.Millisecond, func() { cancel(ErrBudget) })
	}
	err = child.Stop(ctx)
	left := 0
	for range children(os.Getpid()) {
		left++
	}
	said := ended{Exit: child.Exit(), Left: left}
	if err != nil {
		said.Error = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(said)
}

// foster reaps without having a command of its own: it starts a shell that leaves an orphan, and when its
// stdin says so tells how many children it has.
func foster() {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(96)
	}
	stop := Reap()
	if _, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "(read x <&3; exit 3) 3<&0 & exit 0"}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(95)
	}
	for len(children(os.Getpid())) > 0 { // the test's own deadline bounds this
		time.Sleep(groupPoll)
	}
	stop()
	fmt.Println("reaped")
}

// ended is what parent prints last.
type ended struct {
	Exit  Exit
	Error string
	Left  int
}

// app behaves as its name says.
func app(role string) {
	behaviour, argument, _ := strings.Cut(role, ":")
	terms := make(chan os.Signal, 1)
	switch behaviour {
	case "exit": // by itself, at once
		code, _ := strconv.Atoi(argument)
		os.Exit(code)
	case "polite": // when asked
		signal.Notify(terms, syscall.SIGTERM)
		fmt.Println("ready")
		<-terms
		os.Exit(7)
	case "stopped": // when asked, but it has been stopped, as a debugger or a terminal does
		signal.Notify(terms, syscall.SIGTERM)
		fmt.Println("ready")
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		<-terms
		os.Exit(7)
	case "deaf": // never
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "plain": // as the signal says
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "hup": // tells of SIGHUP
		signal.Notify(terms, syscall.SIGHUP)
		fmt.Println("ready")
		<-terms
		fmt.Println("hung up")
		time.Sleep(time.Hour)
	case "worker": // leaves a polite process in its group, and ends with 5
		leave("polite", false)
		os.Exit(5)
	case "daemon": // leaves a process in a session of its own, and ends
		leave(argument, true)
		os.Exit(0)
	case "keeper": // has a process in a session of its own, and leaves it when asked
		signal.Notify(terms, syscall.SIGTERM)
		leave("polite", true)
		<-terms
		time.Sleep(200 * time.Millisecond) // whoever asks looks around only once at first
		os.Exit(0)
	case "orphans": // makes many orphans that end at once, while it works on
		for range 50 {
			shell := exec.Command("/bin/sh", "-c", "(exit 3) & (exit 4) & exit 0")
			if err := shell.Run(); err != nil {
				fmt.Println("failed", err)
			}
		}
		fmt.Println("ready")
		time.Sleep(time.Hour)
	}
}

// leave starts a process that outlives this one, and waits until it is ready.
func leave(role string, session bool) {
	left := exec.Command(os.Args[0])
	left.Env = append(os.Environ(), "LIFECYCLE_ROLE=app:"+role)
	left.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	out, err := left.StdoutPipe()
	if err == nil {
		err = left.Start()
	}
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(97)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	fmt.Println(lines.Text())
}
