package mailrelay

import (
	"strings"
	"testing"

	"yadokari/mailrelay/upstream"
)

func TestValidate(t *testing.T) {
	good := settings()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Config){
		"listen: \"0.0.0.0:25\" can be reached": func(c *Config) { c.Listen = "0.0.0.0:25" },
		"listen: \":25\" can be reached":        func(c *Config) { c.Listen = ":25" },
		"listen: there is neither":              func(c *Config) { c.Listen = "" },
		"upstream.tls: \"\"":                    func(c *Config) { c.Upstream.TLS = "" },
		"upstream.auth: a password would": func(c *Config) {
			c.Upstream.Address, c.Upstream.Auth = "mail.internal:25", &upstream.Auth{User: "u", PasswordFile: "p"}
		},
		"queue.full: \"drop\"":              func(c *Config) { c.Queue.Full = "drop" },
		"queue.bytes: ":                     func(c *Config) { c.Queue.Bytes = 1000 },
		"limits.memory: ":                   func(c *Config) { c.Limits.Memory = 1000 },
		"limits.message: ":                  func(c *Config) { c.Limits.Message = 1 << 30 },
		"retry.max: ":                       func(c *Config) { c.Retry.Max = 1 },
		"leftover.spool: there is no spool": func(c *Config) { c.Leftover.Spool = true },
		"wait: ":                            func(c *Config) { c.Wait = -1 },
	} {
		c := settings()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains("\n"+err.Error(), "\n"+want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// Damage in the spool is counted, and the rest goes on.
func TestDamagedSpoolIsCounted(t *testing.T) {
	c := settings()
	c.Spool = t.TempDir()
	r := start(t, c, Options{})
	x := connect(t, r)
	for range 3 {
		x.send("a@b.test", to("x@y.test"), letter)
	}
	r.Drain(within(0))
	spoil(t, c.Spool)
	r = start(t, c, Options{})
	n := r.Counts()
	if n.Mails.Recovered != 3 || n.Mails.Damaged != 1 || n.Mails.Queued != 2 || n.Check() != nil {
		t.Errorf("%+v", n)
	}
}
