// Package browser simulates people with browsers: cookies, cached assets, forms, redirects that are followed
// to a limit, and answers that are given up when they make no sense.
package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Browser is one person's. It is used by one goroutine.
type Browser struct {
	site   *url.URL
	client *http.Client
	agent  string
	mu     sync.Mutex
	cached map[string]*asset // by URL
	count  *Count
}

// Count is what all people of a trial have met.
type Count struct {
	mu       sync.Mutex
	requests int
	troubles map[string]int
}

// Requests is how many requests were sent.
func (c *Count) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// Troubles are what people would complain about, in their words, with how often it happened.
func (c *Count) Troubles() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]int, len(c.troubles))
	for what, n := range c.troubles {
		all[what] = n
	}
	return all
}

func (c *Count) trouble(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.troubles == nil {
		c.troubles = map[string]int{}
	}
	c.troubles[what]++
}

// Patience is how long a person waits for an answer.
const Patience = time.Minute

// New opens a browser for a site (http://NAME), whose name leads to an address. Each browser comes from a
// loopback address of its own. The key is kept in a cookie, as a load balancer's would be.
func New(site, address, key string, count *Count) *Browser {
	at, err := url.Parse(site)
	if err != nil {
		panic(err) // a constant of the tests
	}
	from := net.IPv4(127, byte(1+rand.IntN(250)), byte(rand.IntN(256)), byte(1+rand.IntN(250)))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: Patience}
	jar, _ := cookiejar.New(nil) // it never fails
	jar.SetCookies(at, []*http.Cookie{{Name: "VISITOR", Value: key, Path: "/"}})
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		DisableCompression: true, // a browser is not as forgiving
		MaxConnsPerHost:    6,
	}
	b := &Browser{site: at, agent: "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101", cached: map[string]*asset{}, count: count}
	b.client = &http.Client{Transport: inPlain{transport}, Jar: jar, Timeout: Patience, CheckRedirect: b.follow}
	return b
}

// Bot makes the browser one that says it is none.
func (b *Browser) Bot(agent string) { b.agent = agent }

// Close closes the browser's connections.
func (b *Browser) Close() { b.client.CloseIdleConnections() }

// inPlain asks for https without TLS, which would end at a balancer in front of the gateway.
type inPlain struct{ *http.Transport }

func (t inPlain) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return t.Transport.RoundTrip(r)
	}
	plain := r.Clone(r.Context())
	plain.URL.Scheme = "http"
	return t.Transport.RoundTrip(plain)
}

var errElsewhere = errors.New("led to another site")

// follow is what a browser does with a redirect. Another host is not there to be asked.
func (b *Browser) follow(r *http.Request, via []*http.Request) error {
	if r.URL.Hostname() != b.site.Hostname() {
		return errElsewhere
	}
	if len(via) >= 15 {
		return errors.New("redirected too many times")
	}
	b.counted()
	return nil
}

func (b *Browser) counted() {
	b.count.mu.Lock()
	defer b.count.mu.Unlock()
	b.count.requests++
}

// Answer is what a request has come to, after redirects.
type Answer struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
}

// Send sends one request and reads the answer. An answer that cannot be decoded is given up at once.
func (b *Browser) Send(ctx context.Context, method, target string, header http.Header, body string) (*Answer, error) {
	at, err := b.site.Parse(target)
	if err != nil {
		return nil, err
	}
	if at.Hostname() != b.site.Hostname() {
		return nil, errElsewhere
	}
	r, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", b.agent)
	r.Header.Set("Accept-Encoding", "gzip")
	b.counted()
	answer, err := b.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	from, err := decoded(answer)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, fmt.Errorf("answer cut short: %w", err)
	}
	return &Answer{URL: answer.Request.URL, Status: answer.StatusCode, Header: answer.Header, Body: string(text)}, nil
}

// Complain notes that something did not go as the person expects. What was broken off is no trouble.
func (b *Browser) Complain(ctx context.Context, what string) {
	if ctx.Err() == nil {
		b.count.trouble(what)
	}
}
