// Command witness is a backend that writes down each request before it does anything with it, in a way
// that survives its own kill -9, and misbehaves on order. The journeys count with it how often each
// request was sent.
//
//	witness -listen 127.0.0.1:9000 -control 127.0.0.1:9001 -name vm -log requests.log
//
// PUT /mode on the control address says how it answers from now on: ok, or one of the modes below.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// BodySize is the size of an answer's body in bytes.
const bodySize = 2 << 10

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address for users")
	control := flag.String("control", "127.0.0.1:0", "address for orders")
	name := flag.String("name", "vm", "which side this is")
	path := flag.String("log", "", "the file that requests are written down in")
	flag.Parse()
	file, err := os.OpenFile(*path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	w := &witness{name: *name, log: file}
	w.order("ok")
	go func() {
		mux := http.NewServeMux()
		mux.HandleFunc("PUT /mode", w.takeOrder)
		log.Fatal(http.ListenAndServe(*control, mux)) //nolint:gosec // loopback, for as long as a test
	}()
	log.Fatal(http.ListenAndServe(*listen, w)) //nolint:gosec // loopback, for as long as a test
}

type witness struct {
	name string
	log  io.Writer
	mode atomic.Pointer[string]
}

func (w *witness) order(mode string) { w.mode.Store(&mode) }

func (w *witness) takeOrder(rw http.ResponseWriter, r *http.Request) {
	mode, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.order(string(mode))
}

// ServeHTTP writes one line, time in nanoseconds, method, request id and target, with one system call:
// once it has returned, the kernel has it.
func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-Id")
	if _, err := fmt.Fprintf(w.log, "%d %s %q %s\n", time.Now().UnixNano(), r.Method, id, r.RequestURI); err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	kind, option, _ := strings.Cut(*w.mode.Load(), " ")
	switch kind {
	case "ok":
		w.answer(rw, r, id)
	case "status": // status N
		status, err := strconv.Atoi(option)
		if err != nil {
			log.Fatal(err)
		}
		http.Error(rw, "as ordered", status)
	case "slow": // slow DURATION
		wait, err := time.ParseDuration(option)
		if err != nil {
			log.Fatal(err)
		}
		select {
		case <-time.After(wait):
			w.answer(rw, r, id)
		case <-r.Context().Done():
		}
	case "reset":
		breakOff(rw, true, "HTTP/1.1 200 OK\r\nContent-Length: 2048\r\n\r\nhalf of it")
	case "close":
		breakOff(rw, false, "")
	default:
		log.Fatalf("witness: mode %q is unknown", kind)
	}
}

// answer sends a body that says who made it and for which request, all over.
func (w *witness) answer(rw http.ResponseWriter, r *http.Request, id string) {
	line := w.name + " " + id + "\n"
	body := strings.Repeat(line, bodySize/len(line)+1)
	rw.Header().Set("X-Side", w.name)
	rw.Header().Set("X-Request-Id", id)
	rw.Header().Set("Content-Type", "text/plain")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(rw, body) // a client that is gone counts its own failure
	}
}

// breakOff sends a part of an answer and ends the connection, with a reset where wanted.
func breakOff(rw http.ResponseWriter, reset bool, part string) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		log.Fatal(err)
	}
	if part != "" {
		_, err = io.WriteString(conn, part)
	}
	if reset {
		time.Sleep(time.Millisecond) // so that the part arrives before the reset discards it
		err = errors.Join(err, conn.(*net.TCPConn).SetLinger(0))
	}
	if err := errors.Join(err, conn.Close()); err != nil {
		log.Print(err)
	}
}
