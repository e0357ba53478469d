// Command yadokari moves a web application out of its virtual machines and into containers, one URL
// at a time. Run it with --help for its verbs.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, &environment{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv}, arguments(os.Args))
	stop()
	os.Exit(code)
}

// arguments are the command line without the program's name, which may itself be the verb: programs call
// /usr/sbin/sendmail, and people mailq.
func arguments(line []string) []string {
	if len(line) == 0 {
		return nil
	}
	switch filepath.Base(line[0]) {
	case "sendmail":
		return append([]string{"sendmail"}, line[1:]...)
	case "mailq":
		return append([]string{"sendmail", "-bp"}, line[1:]...)
	}
	return line[1:]
}
