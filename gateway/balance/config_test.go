package balance

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"yadokari/setting"
)

func TestParseServer(t *testing.T) {
	for text, want := range map[string]string{
		"http://10.0.1.11:9000":   "http://10.0.1.11:9000",
		"http://a":                "http://a:80",
		"https://A.test/":         "https://a.test:443",
		"HTTPS://a:0443":          "https://a:443",
		"http://[::1]:1":          "http://[::1]:1",
		"http://[fe80::1%25eth0]": "http://[fe80::1%eth0]:80",
	} {
		if u, err := parseServer(text); err != nil || u.Scheme+"://"+u.Host != want {
			t.Errorf("%q: %v, %v", text, u, err)
		}
	}
	for _, text := range []string{
		"", "a:9000", "10.0.1.11:9000", "ftp://a", "http://", "http://:80", "http://a:0", "http://a:65536", "http://a:x",
		"http://u:p@a", "http://a/x", "http://a?x", "http://a?", "http://a#", "http://a b", "http://a\x00", "http://[::1", "http://[zz]:1", "//a",
	} {
		if u, err := parseServer(text); err == nil {
			t.Errorf("%q is taken for %v", text, u)
		}
	}
	if _, err := parseServer("http://user:hunter2@a"); strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows a password: %v", err)
	}
}

func FuzzParseServer(f *testing.F) {
	for _, s := range []string{"http://10.0.1.11:9000", "https://[::1]", "http://a:1/", "http://[fe80::1%25e]:2", "http://u@a", "HTTP://A.b:080"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseServer(text)
		if err != nil {
			return
		}
		again, err := parseServer(u.String())
		if err != nil || again.String() != u.String() {
			t.Fatalf("%q gives %q, which gives %v, %v", text, u, again, err)
		}
		if u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "" {
			t.Fatalf("%q gives %#v", text, u)
		}
		if a := addressOf(u, netip.IPv6Loopback()); a.HostPort != "[::1]:"+u.Port() || a.ServerName != u.Hostname() {
			t.Fatalf("%q gives %+v", text, a)
		}
	})
}

func TestServersThatShareConnections(t *testing.T) {
	at := func(base, ip string) string {
		u, err := parseServer(base)
		if err != nil {
			t.Fatal(err)
		}
		return addressOf(u, netip.MustParseAddr(ip)).key()
	}
	if at("http://a", "10.0.0.1") != at("http://b", "10.0.0.1") {
		t.Error("plain HTTP: one address is one server")
	}
	if at("https://a", "10.0.0.1") == at("https://b", "10.0.0.1") || at("http://a:443", "10.0.0.1") == at("https://a", "10.0.0.1") {
		t.Error("TLS: the name and the scheme matter")
	}
}

func TestValidate(t *testing.T) {
	good := config("http://a:1", "http://b:1")
	setting.Defaults(&good)
	good.Health = &Health{}
	setting.Defaults(good.Health)
	if err := good.Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	bad := Config{
		Servers: []string{"http://a:80", "x", "http://A/"}, Resolve: -1, SlowStart: -1,
		Health:  &Health{Path: "up", Host: "a/b", Fall: 0, Rise: -1},
		Passive: Passive{Failures: 1},
	}
	err := bad.Validate()
	for _, path := range []string{
		"servers[1]", "servers[2]", "resolve", "slowStart", "health.path", "health.host",
		"health.every", "health.timeout", "health.fall", "health.rise", "passive.eject",
	} {
		if err == nil || !strings.Contains(err.Error(), path+": ") {
			t.Errorf("%s is not named in\n%v", path, err)
		}
	}
	var problem *setting.Problem
	if !errors.As(err, &problem) || problem.Remedy == "" {
		t.Errorf("%#v", err)
	}
	for _, c := range []struct {
		config Config
		path   string
	}{{Config{}, "servers"}, {Config{Servers: []string{"http://a"}, Passive: Passive{Failures: -1}}, "passive.failures"}} {
		if err := c.config.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.path+": ") {
			t.Errorf("%v", err)
		}
	}
}
