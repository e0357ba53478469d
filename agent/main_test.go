package agent

import (
	"bufio"
	"context"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"yadokari/lifecycle"
)

// TestMain makes the test binary the programs that the tests start: AGENT_ROLE says which. An agent takes
// every child of its process, so that it cannot run in the tests' own.
func TestMain(m *testing.M) {
	role := os.Getenv("AGENT_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	// What these start must not be one of these again, unless it is said so.
	if err := os.Unsetenv("AGENT_ROLE"); err != nil {
		os.Exit(99)
	}
	switch role {
	case "agent":
		agentMain()
	case "app":
		appMain(os.Args[1], os.Args[2:])
	}
	fmt.Fprintln(os.Stderr, "no such role:", role)
	os.Exit(99)
}

// agentMain runs an agent as cmd/yadokari does; the settings are in AGENT_CONFIG. The command's first
// word after -- is the behaviour of the app, unless it is a path.
func agentMain() {
	var c Config
	settings := hex.NewDecoder(strings.NewReader(os.Getenv("AGENT_CONFIG")))
	if err := gob.NewDecoder(settings).Decode(&c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(98)
	}
	o := Options{Command: os.Args[1:], Logger: slog.New(slog.NewJSONHandler(os.Stdout, nil)), Output: os.Stdout, Version: "test"}
	if len(o.Command) > 0 && !strings.Contains(o.Command[0], "/") {
		o.Command = append([]string{os.Args[0]}, o.Command...)
		if err := os.Setenv("AGENT_ROLE", "app"); err != nil {
			os.Exit(97)
		}
	}
	o.PodGrace, _ = lifecycle.ParseGrace(os.Getenv("AGENT_POD")) // "": unknown
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if os.Getenv("AGENT_EARLY") != "" { // SIGTERM comes while it starts
		cancel()
	}
	receipt, err := Run(ctx, c, o)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(receipt.Exit)
}

// appMain is the app: it says that it is up, and then does what its behaviour is.
func appMain(behaviour string, args []string) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	fmt.Println("app is up")
	switch behaviour {
	case "exit":
		code, _ := strconv.Atoi(args[0])
		os.Exit(code)
	case "mails": // SOCKET N CODE: sends N mails once it is asked to stop, and one on SIGHUP
		n, _ := strconv.Atoi(args[1])
		code, _ := strconv.Atoi(args[2])
		for s := range signals {
			if s == syscall.SIGHUP {
				send(args[0], "on SIGHUP")
				continue
			}
			for i := range n {
				send(args[0], "mail "+strconv.Itoa(i))
			}
			os.Exit(code)
		}
	case "signals": // says which it gets
		got := make(chan os.Signal, 16)
		signal.Notify(got, handedOn()...)
		fmt.Println("app listens")
		for {
			select {
			case s := <-got:
				fmt.Println("app got", int(s.(syscall.Signal)))
			case s := <-signals:
				if s == syscall.SIGTERM {
					os.Exit(0)
				}
			}
		}
	case "environment": // NAME
		fmt.Printf("app has %s %q\n", args[0], os.Getenv(args[0]))
		<-signals
		os.Exit(0)
	case "deaf":
		for range signals {
			continue
		}
	}
}

// send hands one mail to the relay, in a connection of its own, and says what the answer was.
func send(socket, subject string) {
	answer, err := submit(socket, subject)
	fmt.Println("app sent", subject, answer, err)
}

func submit(socket, subject string) (answer string, err error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	in := bufio.NewReader(conn)
	for _, line := range []string{"", "HELO app", "MAIL FROM:<app@example.org>", "RCPT TO:<ann@example.org>", "DATA", "Subject: " + subject + "\r\n\r\nx\r\n."} {
		if line != "" {
			if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
				return "", err
			}
		}
		if answer, err = in.ReadString('\n'); err != nil || answer[0] > '3' {
			return strings.TrimSpace(answer), err
		}
	}
	return answer[:3], nil
}
