// Package client speaks to the admin port of a running yadokari, for the command line and for
// programs in Go.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"yadokari/admin"
	"yadokari/certs"
)

const (
	maxAnswer   = 64 << 20
	connectTime = 5 * time.Second
	headerTime  = 30 * time.Second
)

// Options say where the admin port is and how to prove who calls.
type Options struct {
	URL       string // http://host:port or https://host:port; host:port alone is http
	Token     string // the token; empty: TokenFile's, or none
	TokenFile string // a file that holds the token and nothing else
	CA        string // a PEM file of the authorities trusted for https; empty: the system's
	Cert      string // a PEM file of the client certificate, for mTLS
	Key       string // a PEM file of its key
	Actor     string // who calls, for a loopback port without tokens; empty: left to the server
}

// Client calls one admin port. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	actor string
	http  *http.Client
}

// Error is an answer that is an error: what the API says, with the HTTP status. Code is unreachable
// when there was no answer, and bad-answer when it is not one of this API.
type Error struct {
	Status  int    // the HTTP status; 0 without an answer
	Code    string // for programs, as in admin.Error
	Message string // what is wrong
	Remedy  string // what to do about it
	cause   error
}

// Error is the message with the remedy, on one line.
func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Message
	}
	return e.Message + " (" + e.Remedy + ")"
}

// Unwrap is the failure below, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// New reads the files that o names; it does not call anyone.
func New(o Options) (*Client, error) {
	if !strings.Contains(o.URL, "://") {
		o.URL = "http://" + o.URL
	}
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, fmt.Errorf("%q is not the URL of an admin port: write http://host:port", o.URL)
	}
	c := &Client{base: base, token: o.Token, actor: o.Actor}
	if c.token == "" && o.TokenFile != "" {
		text, err := os.ReadFile(o.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		if c.token = strings.TrimSpace(string(text)); c.token == "" || strings.ContainsAny(c.token, " \t\r\n") {
			return nil, fmt.Errorf("token: %s does not hold one token and nothing else", o.TokenFile)
		}
	}
	settings, err := tlsSettings(o)
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy: nil, TLSClientConfig: settings, DialContext: (&net.Dialer{Timeout: connectTime}).DialContext,
			TLSHandshakeTimeout: connectTime, ResponseHeaderTimeout: headerTime, IdleConnTimeout: time.Minute,
		},
		// a redirect could carry the token elsewhere
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func tlsSettings(o Options) (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if o.CA != "" {
		if settings.RootCAs, err = certs.LoadPool(o.CA); err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
	}
	if o.Cert != "" || o.Key != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}

// Do sends in as JSON, unless it is nil, and reads the answer into out, unless that is nil. The path
// begins with / and may have a query. An answer that is an error is an *Error.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	r, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.send(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = fmt.Errorf("longer than %d bytes", maxAnswer)
	}
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		return &Error{Status: answer.StatusCode, Code: "bad-answer", Message: fmt.Sprintf("the answer to %s %s cannot be read: %v", method, path, err),
			Remedy: "is this the admin port, and of the same version?", cause: err}
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base.String(), "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.actor != "" {
		r.Header.Set(admin.ActorHeader, c.actor)
	}
	return r, nil
}

// send sends r and turns everything but a good answer into an *Error.
func (c *Client) send(r *http.Request) (*http.Response, error) {
	answer, err := c.http.Do(r)
	if err != nil {
		if ended := r.Context().Err(); ended != nil {
			return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, ended)
		}
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return nil, &Error{Code: "unreachable", Message: fmt.Sprintf("no answer from the admin port at %s: %v", c.base.Redacted(), err),
			Remedy: "is it running there? --admin names another URL", cause: err}
	}
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, readError(r, answer)
}

func readError(r *http.Request, answer *http.Response) *Error {
	var told struct{ Error admin.Error }
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	if err != nil || told.Error.Code == "" {
		return &Error{Status: answer.StatusCode, Code: "bad-answer",
			Message: fmt.Sprintf("%s %s was answered %s", r.Method, r.URL.Path, answer.Status), Remedy: "is this the admin port?"}
	}
	return &Error{Status: answer.StatusCode, Code: told.Error.Code, Message: told.Error.Message, Remedy: told.Error.Remedy}
}
