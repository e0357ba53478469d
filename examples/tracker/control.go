package tracker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const maxFaults = 100

// checkLoopback refuses an address that others than this machine can reach.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("tracker: control: %w", err)
	}
	if !isLoopback(host) {
		return fmt.Errorf("tracker: control: %q is not a loopback address: who reaches it can break this copy", address)
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

// controlHandler is the admin's side: GET /stats; GET, PUT and DELETE /faults. The body of PUT is one
// fault a line, in the form of ParseFault, and replaces those in force.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		s.sendJSON(w, r, http.StatusOK, s.Stats())
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, r *http.Request) {
		s.sendJSON(w, r, http.StatusOK, s.faults.counts())
	})
	mux.HandleFunc("PUT /faults", s.putFaults)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, r *http.Request) {
		s.faults.replace(nil)
		s.sendJSON(w, r, http.StatusOK, s.faults.counts())
	})
	return localOnly(http.NewCrossOriginProtection().Handler(mux))
}

// localOnly refuses what a web page has made a browser on this machine send under a name of its own.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !isLoopback(strings.Trim(host, "[]")) {
			http.Error(w, "this listener answers to loopback addresses only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFormBytes))
	if err == nil {
		var faults []Fault
		if faults, err = parseFaults(string(body)); err == nil {
			s.faults.replace(faults)
			s.log.Info("faults", "now", s.faults.counts())
			s.sendJSON(w, r, http.StatusOK, s.faults.counts())
			return
		}
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}

func parseFaults(text string) ([]Fault, error) {
	var faults []Fault
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		f, err := ParseFault(line)
		if err != nil {
			return nil, err
		}
		if faults = append(faults, f); len(faults) > maxFaults {
			return nil, fmt.Errorf("more than %d faults", maxFaults)
		}
	}
	return faults, nil
}

// SetFaults replaces the faults in force of the copy whose control listener is at controlURL.
func SetFaults(ctx context.Context, controlURL string, faults ...Fault) error {
	var body strings.Builder
	for _, f := range faults {
		body.WriteString(f.String() + "\n")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, controlURL+"/faults", strings.NewReader(body.String()))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("set faults: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		words, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		return errors.Join(fmt.Errorf("set faults: %s: %s", answer.Status, strings.TrimSpace(string(words))), err)
	}
	return nil
}
