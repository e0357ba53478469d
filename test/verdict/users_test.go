package verdict

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
)

// activity is the exponent of Zipf's law: the n-th most active user makes n^-activity as many visits as the first.
const activity = 0.8

// crowd is a number of users who visit the shop, think, and visit it again. Few of them make many visits.
type crowd struct {
	url    string
	client *http.Client
	stop   context.CancelFunc
	under  sync.WaitGroup
	sent   atomic.Int64
}

// user is one of them.
type user struct {
	*crowd
	ctx context.Context
	key string
}

// visit is what a user does between two thoughts.
type visit func(*user)

// newCrowd has nobody in it yet. It goes home when end is called, or the test ends.
func newCrowd(t *testing.T, address string) (*crowd, context.Context) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &crowd{url: "http://" + address, stop: stop, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       time.Minute,
	}}
	t.Cleanup(c.end)
	return c, ctx
}

// end lets everybody go home.
func (c *crowd) end() {
	c.stop()
	c.under.Wait()
	c.client.CloseIdleConnections()
}

// admit lets users in, the first one with the number first, who together make so many visits a second.
func (c *crowd) admit(ctx context.Context, first, count int, visits float64, v visit) {
	sum := 0.0
	for rank := range count {
		sum += math.Pow(float64(rank+1), -activity)
	}
	for rank := range count {
		think := sum / visits * math.Pow(float64(rank+1), activity)
		u := &user{crowd: c, ctx: ctx, key: fmt.Sprintf("user-%d", first+rank)}
		c.under.Go(func() {
			for u.think(think) {
				v(u)
			}
		})
	}
}

// send lets one more user in, who visits the shop at a steady rate a second, whatever becomes of the visits
// before, and so often.
func (c *crowd) send(ctx context.Context, key string, times int, rate float64, v visit) {
	u := &user{crowd: c, ctx: ctx, key: key}
	var visits sync.WaitGroup
	for range times {
		visits.Go(func() { v(u) })
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(float64(time.Second) / rate)):
		}
	}
	visits.Wait()
}

// think waits for a time with the given mean in seconds; it reports whether the user comes back.
func (u *user) think(mean float64) bool {
	select {
	case <-u.ctx.Done():
		return false
	case <-time.After(time.Duration(rand.ExpFloat64() * mean * float64(time.Second))):
		return true
	}
}

// answer is what a user was sent.
type answer struct {
	status   int
	location *url.URL
	text     string
}

// ask sends a request with the user's key. A user whose request fails gets an answer without a status.
func (u *user) ask(method, path, body string, headers ...string) answer {
	r, err := http.NewRequestWithContext(u.ctx, method, u.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}
	}
	r.AddCookie(&http.Cookie{Name: "SESSION", Value: u.key})
	r.Header.Set("User-Agent", u.key)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	u.sent.Add(1)
	got, err := u.client.Do(r)
	if err != nil {
		return answer{}
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{}
	}
	location, err := got.Location()
	if err != nil {
		location = nil
	}
	return answer{status: got.StatusCode, location: location, text: string(text)}
}

func (u *user) get(path string) answer { return u.ask(http.MethodGet, path, "") }

// follow opens the page that an answer leads to, if it is one of the shop's.
func (u *user) follow(a answer) {
	if a.location != nil && "http://"+a.location.Host == u.url {
		u.get(a.location.Path)
	}
}

// open opens a page with its pictures.
func (u *user) open(path string) answer {
	page := u.get(path)
	u.follow(page)
	if page.status == http.StatusOK {
		u.get("/images/1.png")
		u.get("/images/2.png")
	}
	return page
}

var token = regexp.MustCompile(`name="token" value="([^"]*)"`)

// shopping is a visit to the shop: most look around, some order, some send a photo.
func shopping(u *user) {
	switch p := rand.Float64(); {
	case p < 0.3:
		u.open("/")
	case p < 0.6:
		u.open(fmt.Sprintf("/item/%d", 1+rand.IntN(200)))
	default:
		form := token.FindStringSubmatch(u.open("/order").text)
		if form == nil {
			return // nothing to fill in
		}
		if p < 0.85 {
			u.follow(u.ask(http.MethodPost, "/order", url.Values{
				"token": {form[1]}, "item": {"7"}, "quantity": {"2"},
			}.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
		} else {
			u.follow(u.ask(http.MethodPost, "/photo", strings.Repeat("photo", 20<<10), "X-Token", form[1]))
		}
	}
}

// looking is a visit to one page.
func looking(path string) visit { return func(u *user) { u.get(path) } }

// keyBelow is a key of someone who has moved once the share is reached: a name and the first number that will do.
func keyBelow(share float64, name string) string {
	for n := 0; ; n++ {
		key := fmt.Sprintf("%s-%d", name, n)
		if float64(xxhash.Sum64String(key)) < share*math.MaxUint64 {
			return key
		}
	}
}

// slowLine is a client whose line takes so many bytes a second.
func slowLine(rate int) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		_ = c.(*net.TCPConn).SetReadBuffer(128 << 10)
		return &slowConn{Conn: c, rate: rate}, nil
	}}}
}

// slowConn reads no more than its line takes.
type slowConn struct {
	net.Conn
	rate int
}

func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(len(p), 64<<10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	return n, err
}
