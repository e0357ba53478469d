package admin

import (
	"errors"

	"yadokari/certs"
	"yadokari/setting"
)

// ValidateFiles reads the files that the settings name and returns what is wrong with them:
// *setting.Problem values joined, or nil.
func (c *Config) ValidateFiles() error {
	var problems []error
	add := func(key string, err error, remedy string) {
		if err != nil {
			problems = append(problems, &setting.Problem{Path: setting.Path{key}, What: err.Error(), Remedy: remedy})
		}
	}
	if c.TLS != nil {
		problems = append(problems, setting.Under(c.TLS.ValidateFiles(), "tls"))
	}
	if c.ClientCA != "" {
		_, err := certs.LoadPool(c.ClientCA)
		add("clientCA", err, "name a PEM file of authorities")
	}
	if c.TokenFile != "" {
		_, _, err := readTokens(c.TokenFile)
		add("tokenFile", err, "write lines of NAME ROLE TOKEN into it, readable by the user that runs yadokari")
	}
	return errors.Join(problems...)
}
