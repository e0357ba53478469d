package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// serve answers requests until SIGTERM, then finishes those under way, notes its end in the diary
// and copies the diary to the termination message.
func serve(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", ":8080", "address to listen on")
	diary := flags.String("diary", "", "file that gets a line at the end; empty: none")
	word := flags.String("word", "SIGTERM", "the line")
	message := flags.String("message", "", "file that gets a copy of the diary at the end; empty: none")
	stubborn := flags.Bool("stubborn", false, "ignore SIGTERM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	if *stubborn {
		ctx = context.Background()
	}
	server := &http.Server{Addr: *listen, Handler: pages()}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	if err := server.Shutdown(context.Background()); err != nil {
		return err
	}
	if *diary == "" {
		return nil
	}
	err := appendLine(*diary, *word)
	if *message != "" {
		err = errors.Join(err, copyFile(*diary, *message))
	}
	return err
}

func pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /name", func(w http.ResponseWriter, _ *http.Request) {
		name, err := os.Hostname()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, name)
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, os.Getenv(r.FormValue("name")))
	})
	mux.HandleFunc("POST /exit", func(_ http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.FormValue("code"))
		if err != nil {
			code = 2
		}
		os.Exit(code)
	})
	mux.HandleFunc("POST /hog", func(http.ResponseWriter, *http.Request) {
		var hoard [][]byte
		for { // until the kernel kills this process
			block := make([]byte, 1<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1 // a page that is not written to takes no memory
			}
			hoard = append(hoard, block) //nolint:staticcheck // held, so that the collector cannot give it back
		}
	})
	return mux
}
