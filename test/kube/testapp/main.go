// Command testapp is the program in the pods of the harness's own tests: a small server whose
// behaviour at its end is set by flags, and some tools for an image that has no shell.
//
//	testapp serve [flags]      serve until SIGTERM
//	testapp append FILE WORD   append a line to a file
//	testapp cat FILE           print a file
//	testapp get URL            print a page
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: testapp serve|append|cat|get ...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "testapp:", err)
		os.Exit(1)
	}
}

func run(verb string, args []string) error {
	switch {
	case verb == "serve":
		return serve(args)
	case verb == "append" && len(args) == 2:
		return appendLine(args[0], args[1])
	case verb == "cat" && len(args) == 1:
		return cat(args[0])
	case verb == "get" && len(args) == 1:
		return get(args[0])
	}
	return fmt.Errorf("no verb %q with %d arguments", verb, len(args))
}

func appendLine(file, word string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, word)
	return errors.Join(err, f.Close())
}

func cat(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(os.Stdout, f)
	return err
}

func get(url string) error {
	res, err := (&http.Client{Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	_, err = io.Copy(os.Stdout, res.Body)
	return err
}

// copyFile writes what a file holds to another; a source that is not there is empty.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(to, text, 0o666)
}
