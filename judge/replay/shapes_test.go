package replay

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// site writes an access log of the shape of one kind of site.
type site struct {
	random *rand.Rand
	lines  []logged
	start  time.Time
}

type logged struct {
	at   time.Time
	text string
}

func newSite(seed uint64) *site {
	return &site{random: rand.New(rand.NewPCG(seed, 7)), start: time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)}
}

// hit adds a line of the combined format, with NGINX's $request_time when took is not 0.
func (s *site) hit(at time.Time, client, method, path string, status, size int, agent string, took time.Duration) {
	text := fmt.Sprintf(`%s - - [%s] "%s %s HTTP/1.1" %d %d "-" "%s"`, client, at.Format("02/Jan/2006:15:04:05 -0700"), method, path, status, size, agent)
	if took > 0 {
		text += fmt.Sprintf(" %.3f", took.Seconds())
	}
	s.lines = append(s.lines, logged{at, text})
}

// log is what was written, in the order of time.
func (s *site) log() *bytes.Reader {
	slices.SortStableFunc(s.lines, func(a, b logged) int { return a.at.Compare(b.at) })
	var b bytes.Buffer
	for _, l := range s.lines {
		b.WriteString(l.text)
		b.WriteByte('\n')
	}
	return bytes.NewReader(b.Bytes())
}

func (s *site) address(n int) string { return fmt.Sprintf("198.51.%d.%d", n/250, n%250+1) }

func (s *site) lognormal(median time.Duration, spread float64) time.Duration {
	return time.Duration(float64(median) * math.Exp(spread*s.random.NormFloat64()))
}

func (s *site) chance(p float64) bool { return s.random.Float64() < p }

const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// shop is a day of a shop: visits of a few pages, carts, and crawlers that meet what is gone; half an hour in which
// every third page fails, for all.
func shop(seed uint64) *site {
	s := newSite(seed)
	bad := s.start.Add(5 * time.Hour)
	for user := range 700 {
		at := s.start.Add(time.Duration(s.random.Float64() * float64(12*time.Hour)))
		for range 2 + s.random.IntN(12) {
			at = at.Add(time.Duration(s.random.ExpFloat64() * float64(20*time.Second)))
			method, path, status, size := "GET", fmt.Sprintf("/p/%d", s.random.IntN(3000)), 200, 5000+s.random.IntN(40000)
			switch {
			case at.After(bad) && at.Before(bad.Add(30*time.Minute)) && s.chance(0.33):
				status, size = 502, 157
			case s.chance(0.1):
				method, path, status, size = "POST", "/cart", 303, 0
			case s.chance(0.02):
				status, size = 404, 900
			}
			s.hit(at, s.address(user), method, path, status, size, browser, s.lognormal(120*time.Millisecond, 0.7))
		}
	}
	for crawler, agent := range []string{"Mozilla/5.0 (compatible; bingbot/2.0)", "Googlebot/2.1", "AhrefsBot/7.0", "SemrushBot"} {
		for at := s.start; at.Before(s.start.Add(12 * time.Hour)); at = at.Add(time.Duration((10 + s.random.ExpFloat64()*30) * float64(time.Second))) {
			status, size := 200, 20000
			if s.chance(0.1 * float64(crawler+1)) {
				status, size = 404+6*s.random.IntN(2), 900
			} else if s.chance(0.02) {
				status, size = 500, 0
			}
			s.hit(at, fmt.Sprintf("203.0.113.%d", crawler), "GET", fmt.Sprintf("/old/%d", s.random.IntN(9000)), status, size, agent, s.lognormal(300*time.Millisecond, 1))
		}
	}
	return s
}

// intranet is a working day of 40 people, one of whom has a page that always fails open all day.
func intranet(seed uint64) *site {
	s := newSite(seed)
	for user := range 40 {
		slow := 1 + 4*s.random.Float64()
		for at := s.start.Add(time.Duration(s.random.Float64() * float64(2*time.Hour))); at.Before(s.start.Add(10 * time.Hour)); at = at.Add(time.Duration(s.random.ExpFloat64() * float64(4*time.Minute))) {
			status, size := 200, 8000+s.random.IntN(9000)
			if s.chance(0.003) {
				status, size = 500, 30
			}
			s.hit(at, fmt.Sprintf("10.0.0.%d", user+1), "GET", fmt.Sprintf("/wiki/Page%d", s.random.IntN(200)), status, size, browser, s.lognormal(time.Duration(slow*60)*time.Millisecond, 0.5))
		}
	}
	for at := s.start; at.Before(s.start.Add(10 * time.Hour)); at = at.Add(30 * time.Second) {
		s.hit(at, "10.0.0.7", "GET", "/dashboard.json", 503, 20, browser, 5*time.Millisecond)
	}
	return s
}

// api is a handful of clients with tokens; one has an old one, one asks too often.
func api(seed uint64) *site {
	s := newSite(seed)
	for client := range 8 {
		for at := s.start; at.Before(s.start.Add(time.Hour)); at = at.Add(time.Duration((1 + s.random.ExpFloat64()*float64(client)) * float64(time.Second))) {
			status, size := 200, 900
			switch {
			case client == 3:
				status, size = 401, 60
			case client == 0 && s.chance(0.3):
				status, size = 429, 60
			case s.chance(0.005):
				status, size = 504, 160
			}
			s.hit(at, fmt.Sprintf("192.0.2.%d", client+1), "GET", "/v2/items?page="+fmt.Sprint(s.random.IntN(90)), status, size, "okhttp/4.12", s.lognormal(40*time.Millisecond, 0.4))
		}
	}
	return s
}

// blog is a WordPress: readers, an editor, and robots that try passwords and look for holes.
func blog(seed uint64) *site {
	s := newSite(seed)
	for reader := range 500 {
		at := s.start.Add(time.Duration(s.random.Float64() * float64(24*time.Hour)))
		for range 1 + s.random.IntN(5) {
			at = at.Add(time.Duration(s.random.ExpFloat64() * float64(30*time.Second)))
			s.hit(at, s.address(reader), "GET", fmt.Sprintf("/%d/%02d/post-%d/", 2020+s.random.IntN(6), 1+s.random.IntN(12), s.random.IntN(300)), 200, 30000+s.random.IntN(9000), browser, 0)
		}
	}
	for robot := range 40 {
		at := s.start.Add(time.Duration(s.random.Float64() * float64(20*time.Hour)))
		for range 20 + s.random.IntN(200) {
			at = at.Add(time.Duration(s.random.ExpFloat64() * float64(2*time.Second)))
			client := fmt.Sprintf("203.0.113.%d", robot)
			switch robot % 4 {
			case 0:
				s.hit(at, client, "POST", "/wp-login.php", 200, 5200, "Mozilla/5.0", 0)
			case 1:
				s.hit(at, client, "POST", "/xmlrpc.php", 403, 199, "-", 0)
			case 2:
				s.hit(at, client, "GET", fmt.Sprintf("/wp-content/plugins/p%d/readme.txt", s.random.IntN(500)), 404, 700, "python-requests/2.31", 0)
			default:
				s.hit(at, client, "GET", "/?author="+fmt.Sprint(s.random.IntN(30)), 301, 0, "WPScan", 0)
			}
		}
	}
	return s
}
