// Package mirror sends copies of requests to the new side while the old side answers, and compares
// the two responses.
//
// What differs between two answers of the old side itself (a CSRF token, a time, a request id) is
// noise. It is found as Diffy finds it (Twitter, "Diffy: Testing services without writing tests",
// 2015): by asking the old side a second time and counting, field by field, how often the old side
// differs from itself and how often the new side differs from the old.
package mirror

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"yadokari/setting"
)

// Config says which requests are copied to the other side and what of the two responses is compared. Copies
// carry the header X-Yadokari-Copy.
type Config struct {
	// Rate is the part of safe requests that is copied to the new side in the mirror stage.
	Rate setting.Share `yaml:"rate" default:"100%"`
	// Moved is the part of moved users' safe requests that is copied to the old side in the stages after
	// mirror, once the new side has answered; of the first 1,000 of a stage all are, and then 20 a second
	// at most. 0%: none.
	Moved setting.Share `yaml:"moved" default:"10%"`
	// Skip are requests that are never copied, besides those that are known to change something
	// although they are GET (yadokari check lists them). /PATH is a path, in which * stands for any
	// characters, slashes too; ?NAME or ?NAME=VALUE is a query parameter, ?NAME&NAME are several
	// in one query. Letter case does not count. With ! before it, one of the known ones is copied.
	Skip []string `yaml:"skip"`
	// Noise is the part of copied requests for which the old side is asked a second time, to learn
	// what differs between two answers of one side. The first copies of each kind of URL, and the
	// first differences of each kind, always ask. 0%: it is not asked for that, and whatever differs
	// counts, unless it is ignored.
	Noise setting.Share `yaml:"noise" default:"20%"`
	// Concurrency is the most copies that are sent to one side at once. Four times as many may be under way and wait for their turn; what
	// comes on top is not copied but counted.
	Concurrency int `yaml:"concurrency" default:"16"`
	// Timeout is how long one copy may take on one side, to the last byte; or twice what the user's
	// own request took on the other side, and 5s, if that is longer.
	Timeout time.Duration `yaml:"timeout" default:"10s"`
	// Headers are the response headers compared, besides the status and the body. Of cookies the
	// names and attributes are, never the values.
	Headers []string `yaml:"headers" default:"Content-Type,Location,Cache-Control,Content-Disposition,Set-Cookie,WWW-Authenticate,Access-Control-Allow-Origin,Content-Security-Policy,Strict-Transport-Security,X-Frame-Options"`
	// Body is the most of a body that is compared, at most 16MiB; a longer one is compared by its
	// first part. 0B: bodies are not compared.
	Body setting.Size `yaml:"body" default:"256KiB"`
	// Ignore are JSON paths (a.b[].c, and all below it) or header names that are known to differ.
	Ignore []string `yaml:"ignore"`
	// Examples is the most differences kept to look at, each of another kind; at most 1000.
	Examples int `yaml:"examples" default:"20"`
}

const (
	maxConcurrency = 1024
	maxBody        = 16 << 20
	maxExamples    = 1000
)

// Validate returns what is wrong with the settings: *setting.Problem values joined, or nil.
func (c *Config) Validate() error {
	var problems []error
	add := func(what, remedy string, path ...any) {
		problems = append(problems, &setting.Problem{Path: path, What: what, Remedy: remedy})
	}
	share := func(name string, s setting.Share) {
		if !(s >= 0 && s <= 1) {
			add(fmt.Sprintf("%v is not a share", s), "write 0% to 100%", name)
		}
	}
	share("rate", c.Rate)
	share("moved", c.Moved)
	share("noise", c.Noise)
	if c.Concurrency < 1 || c.Concurrency > maxConcurrency {
		add(fmt.Sprintf("%d copies at once", c.Concurrency), "write 1 to 1024; rate: 0% makes no copies", "concurrency")
	}
	if c.Timeout <= 0 {
		add(fmt.Sprintf("%v is no time to answer in", c.Timeout), "write a time such as 10s", "timeout")
	}
	if c.Body < 0 || c.Body > maxBody {
		add(fmt.Sprintf("%v of each body is out of range", c.Body), "write 0B to 16MiB", "body")
	}
	if c.Examples < 0 || c.Examples > maxExamples {
		add(fmt.Sprintf("%d examples is out of range", c.Examples), "write 0 to 1000", "examples")
	}
	for i, name := range c.Headers {
		if !isToken(name) {
			add(fmt.Sprintf("%q is not the name of a header", name), "write a name such as Content-Type", "headers", i)
		}
	}
	for i, text := range c.Skip {
		if _, err := parseSkip(text); err != nil {
			add(err.Error(), "write a path such as /cron/*, a query name such as ?ticket, or ! and one that is known", "skip", i)
		}
	}
	for i, path := range c.Ignore {
		if strings.TrimSpace(path) == "" {
			add("an empty path ignores nothing", "write a JSON path such as a.b[].c, or a header name", "ignore", i)
		}
	}
	return errors.Join(problems...)
}

// isToken tells whether s is a token of RFC 9110, section 5.6.2, as header names are.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !isAlnum(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
