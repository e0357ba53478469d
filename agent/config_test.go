package agent

import (
	"strings"
	"testing"
	"time"

	"yadokari/logshipper"
	"yadokari/mailrelay"
	"yadokari/setting"
)

func defaults() *Config {
	c := &Config{}
	setting.Defaults(c)
	return c
}

func TestDefaultsAreValid(t *testing.T) {
	c := defaults()
	if err := c.Validate(); err != nil || c.Admin.Listen != "127.0.0.1:8082" {
		t.Error(err, c.Admin.Listen)
	}
	for _, grace := range []time.Duration{20, 28, 58, 600} { // with the default deregister
		if c.Shutdown.Grace = grace * time.Second; c.Validate() != nil {
			t.Error(c.Validate())
		}
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"shutdown.grace: the stop does not fit: deregister 5s + app 2.8s (35%) + reserve 800ms (10%) = 8.6s, but the grace period is 8s": func(c *Config) { c.Shutdown.Grace = 8 * time.Second },
		"shutdown.grace: the grace period must be more than 0s":                                                                          func(c *Config) { c.Shutdown.Grace = 0 },
		"mail 12s (20%)": func(c *Config) {
			c.Mail = &mailrelay.Config{}
			setting.Defaults(c.Mail)
			c.Shutdown.App = 0.9
		},
		`shutdown.ports[1]: "8080" is not host:port`:       func(c *Config) { c.Shutdown.Ports = []string{"127.0.0.1:80", "8080"} },
		`shutdown.files[0]: "[" is not a pattern of files`: func(c *Config) { c.Shutdown.Files = []string{"["} },
		"shutdown.quiet: 1ms is not a time":                func(c *Config) { c.Shutdown.Quiet = time.Millisecond },
		"shutdown.done: the agent's marker":                func(c *Config) { c.Shutdown.Marker, c.Shutdown.Done = "/run/x", "/run/x" },
		"admin.listen":                                     func(c *Config) { c.Admin.Listen = "0.0.0.0:1" },
		"mail.upstream":                                    func(c *Config) { c.Mail = &mailrelay.Config{}; setting.Defaults(c.Mail) },
		"logs[1]: /var/log/a.log goes to stdout twice": func(c *Config) {
			item := logshipper.Config{Path: "/var/log/a.log", To: logshipper.Outputs{Output: logshipper.Output{Stdout: &logshipper.Stdout{}}}}
			setting.Defaults(&item)
			c.Logs = []logshipper.Config{item, item}
		},
	} {
		c := defaults()
		change(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
