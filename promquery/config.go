package promquery

import (
	"errors"
	"fmt"
	"os"
	"time"

	"yadokari/certs"
	"yadokari/setting"
)

// Config is the prometheus: section of a gateway.
type Config struct {
	// URL is the server's, as in http://prometheus.monitoring:9090. What comes before /api/v1 belongs to it.
	URL string `yaml:"url" required:"true"`
	// Every is how often signals are asked for: as often as metrics are scraped, or less.
	Every time.Duration `yaml:"every" default:"15s"`
	// Timeout is how long one query may take.
	Timeout time.Duration `yaml:"timeout" default:"5s"`
	// TokenFile holds a token that is sent as "Authorization: Bearer"; it is read for every query. Empty: none is sent.
	TokenFile string `yaml:"tokenFile"`
	// CA is a PEM file of the authorities that may sign an https server's certificate; empty: the system's.
	CA string `yaml:"ca"`
}

// Validate says everything that is wrong with c as *setting.Problem, joined, or returns nil.
func (c *Config) Validate() error {
	var problems []error
	check := func(ok bool, key, what, remedy string) {
		if !ok {
			problems = append(problems, &setting.Problem{Path: setting.Path{key}, What: what, Remedy: remedy})
		}
	}
	u, valid := setting.WebURL(c.URL)
	check(valid, "url", fmt.Sprintf("%q is not the URL of a server", c.URL), "write http://HOST:PORT, with no query and no fragment")
	check(!valid || u.User == nil, "url", "holds a password", "write the token into a file and name it as tokenFile")
	check(c.Every >= time.Second, "every", fmt.Sprintf("%s is too often", c.Every), "write 1s or more; metrics change as often as they are scraped")
	check(c.Timeout > 0, "timeout", fmt.Sprintf("%s gives no query time to be answered", c.Timeout), "write a duration as in 5s")
	return errors.Join(problems...)
}

// ValidateFiles reads the files that c names and says what is wrong with them, as *setting.Problem, joined.
func (c *Config) ValidateFiles() error {
	var problems []error
	if c.CA != "" {
		if _, err := certs.LoadPool(c.CA); err != nil {
			problems = append(problems, &setting.Problem{Path: setting.Path{"ca"}, What: err.Error(), Remedy: "name a PEM file of authorities"})
		}
	}
	if c.TokenFile != "" {
		if _, err := os.ReadFile(c.TokenFile); err != nil {
			problems = append(problems, &setting.Problem{Path: setting.Path{"tokenFile"}, What: err.Error(), Remedy: "name a file that holds a token"})
		}
	}
	return errors.Join(problems...)
}
