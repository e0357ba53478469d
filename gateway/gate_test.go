package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// After a head with an Upgrade field the gate lets everything through, so that no request may be
// taken from the connection any more, whoever answers and whatever Connection says.
func TestNoRequestFollowsAnUpgradeField(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	for name, c := range map[string]struct {
		head    string
		changes func(*Config)
	}{
		"without Connection": {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n", func(*Config) {}},
		"OPTIONS *":          {"OPTIONS * HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n", func(*Config) {}},
		"old HTTP":           {"GET / HTTP/1.0\r\nHost: a\r\nUpgrade: x\r\nConnection: keep-alive\r\n\r\n", func(*Config) {}},
		"no server": {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", func(c *Config) {
			c.Backends["vm"] = backendAt("http://127.0.0.1:1")
		}},
		"too many": {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", func(c *Config) { c.Limits.InFlight = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.changes)
			out := r.raw(c.head + smuggled)
			if strings.Count(out, "HTTP/1.") != 1 || !strings.Contains(out, "Connection: close") {
				t.Errorf("got %q", out)
			}
			for _, seen := range r.old.requests() {
				if strings.Contains(seen, "smuggled") {
					t.Error("a second request was taken from the connection")
				}
			}
		})
	}
}

func TestOptionsOfTheServerReachesTheApp(t *testing.T) {
	r := newRig(t)
	r.old.Config.DisableGeneralOptionsHandler = true
	r.old.does(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Allow", "GET, BREW") })
	out := r.raw("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if !strings.Contains(out, "BREW") {
		t.Fatalf("got %q, the app saw %v", out, r.old.requests())
	}
}
