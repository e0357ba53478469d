package promquery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"yadokari/certs"
)

// longestAnswer is more than any single figure takes with its labels.
const longestAnswer = 1 << 20

var (
	// ErrNoServer is returned while no server is configured.
	ErrNoServer = errors.New("no Prometheus server is configured (gateway.prometheus)")
	// ErrUnknown is returned for a query that finds nothing: no such series, or not in that time.
	ErrUnknown = errors.New(`the query finds no series; where a counter appears with its first event, write "QUERY or vector(0)"`)
)

// Client asks one server. Its methods are safe for concurrent use. The zero value has no server.
type Client struct{ server atomic.Pointer[server] }

type server struct {
	config Config
	api    v1.API
	pool   *http.Transport
}

// Use asks the server of c from now on; nil: none. On an error nothing has changed.
func (c *Client) Use(config *Config) error {
	var next *server
	if config != nil {
		var err error
		if next, err = newServer(*config); err != nil {
			return err
		}
	}
	if former := c.server.Swap(next); former != nil {
		former.pool.CloseIdleConnections()
	}
	return nil
}

func newServer(config Config) (*server, error) {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	if config.CA != "" {
		authorities, err := certs.LoadPool(config.CA)
		if err != nil {
			return nil, fmt.Errorf("prometheus.ca: %w", err)
		}
		pool.TLSClientConfig = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	client, err := api.NewClient(api.Config{Address: config.URL, Client: &http.Client{
		Transport: &transport{pool, config.TokenFile},
		// A redirect could carry the token elsewhere, and one to a login page is no answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, fmt.Errorf("prometheus.url: %w", err)
	}
	return &server{config, v1.NewAPI(client), pool}, nil
}

// Every is how often figures are worth asking for; 0 without a server.
func (c *Client) Every() time.Duration {
	s := c.server.Load()
	if s == nil {
		return 0
	}
	return s.config.Every
}

// Count is the figure that a query comes to now. It is an error if there is no figure (ErrUnknown), or more than
// one, if the server warns of it, and if it does not answer in time.
func (c *Client) Count(ctx context.Context, query string) (float64, error) {
	s := c.server.Load()
	if s == nil {
		return 0, ErrNoServer
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	value, warnings, _, err := s.api.Query(ctx, query, time.Time{})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return 0, fmt.Errorf("%s does not answer within %s", s.config.URL, s.config.Timeout)
	case err != nil:
		return 0, fmt.Errorf("%s: %w", s.config.URL, err)
	}
	if warned := slices.DeleteFunc(warnings, isHint); len(warned) > 0 { // one of several servers behind it has not answered, say
		return 0, fmt.Errorf("%s warns that the figure may be wrong: %s", s.config.URL, strings.Join(warned, "; "))
	}
	return figure(value)
}

// isHint reports whether a warning is only a hint at how a query could be written, which some servers give among warnings.
func isHint(warning string) bool { return strings.HasPrefix(warning, "PromQL info:") }

// figure is the only one that there is.
func figure(value model.Value) (float64, error) {
	switch v := value.(type) {
	case nil:
		return 0, errors.New("the server's answer says nothing")
	case *model.Scalar:
		return float64(v.Value), nil
	case model.Vector:
		switch len(v) {
		case 0:
			return 0, ErrUnknown
		case 1:
			if v[0].Histogram != nil {
				return 0, errors.New("the query gives a histogram, not a figure; write histogram_count(QUERY)")
			}
			return float64(v[0].Value), nil
		}
		return 0, fmt.Errorf("the query gives %d series, not one; write sum(QUERY)", len(v))
	}
	return 0, fmt.Errorf("the query gives a %s, not a figure", value.Type())
}

// transport adds the token, which may be renewed at any time, and bounds the answer.
type transport struct {
	next  http.RoundTripper
	token string // the name of its file
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.token != "" {
		text, err := os.ReadFile(t.token)
		if err != nil {
			return nil, fmt.Errorf("prometheus.tokenFile: %w", err)
		}
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(text)))
	}
	answer, err := t.next.RoundTrip(r)
	if err == nil {
		answer.Body = &bounded{answer.Body, longestAnswer}
	}
	return answer, err
}

// bounded is a body that ends in an error where it is too long.
type bounded struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(into []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes", longestAnswer)
	}
	n, err := b.ReadCloser.Read(into[:min(len(into), b.left)])
	b.left -= n
	return n, err
}
