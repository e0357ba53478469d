package logshipper

import (
	"strings"
	"testing"
	"time"

	"yadokari/cloud"
	"yadokari/cloud/bucket"
	"yadokari/logshipper/firehose"
	"yadokari/setting"
)

func valid() (c Config) {
	setting.Defaults(&c)
	c.Path = "/var/log/app/*.log"
	c.To.Dir = &Dir{Path: "/srv/archive"}
	return c
}

// TestWhatIsWrongIsSaid changes one setting at a time.
func TestWhatIsWrongIsSaid(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"":                                    func(*Config) {},
		`path: "audit.log" is not the`:        func(c *Config) { c.Path = "audit.log" },
		`rotated: "/var/[" is not the`:        func(c *Config) { c.Rotated = "/var/[" },
		`start: "(" is not a regular`:         func(c *Config) { c.Start = "(" },
		"pause: must not be less than 0s":     func(c *Config) { c.Pause = -time.Second },
		"linger: must not be less than 0s":    func(c *Config) { c.Linger = -time.Second },
		"every: must be more than 0s":         func(c *Config) { c.Every = 0 },
		"size: 1KiB is out of range":          func(c *Config) { c.Size = 1 << 10 },
		"line: 2MiB is out of range":          func(c *Config) { c.Line = 2 << 20 },
		`format: "xml" is not known`:          func(c *Config) { c.Format = "xml" },
		`checkpoints: "state" is not`:         func(c *Config) { c.Checkpoints = "state" },
		`leftover.dir: "left" is not`:         func(c *Config) { c.Leftover.Dir = "left" },
		"to: no output is named":              func(c *Config) { c.To.Dir = nil },
		`to.dir.path: "archive" is not`:       func(c *Config) { c.To.Dir.Path = "archive" },
		"to: dir:/srv/archive is named twice": func(c *Config) { c.To.Also = []Output{{Dir: c.To.Dir}} },
	} {
		c := valid()
		change(&c)
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestItemsThatShareACheckpoint would only fail when the agent starts.
func TestItemsThatShareACheckpoint(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"alike":             {func(*Config) {}, "[1]: /var/log/app/*.log goes to dir:/srv/archive twice"},
		"other path":        {func(c *Config) { c.Path = "/var/log/app/*.txt" }, ""},
		"other output":      {func(c *Config) { c.To = Outputs{Output: Output{Stdout: &Stdout{}}} }, ""},
		"other checkpoints": {func(c *Config) { c.Checkpoints += "/2" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			second := valid()
			c.change(&second)
			err := ValidateAll([]Config{valid(), second})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	one := valid()
	one.Every = 0
	if err := ValidateAll([]Config{valid(), one}); err == nil || !strings.Contains(err.Error(), "[1].every: ") {
		t.Errorf("got %v", err)
	}
}

// TestPlacesOfOneName are several: each has its own checkpoint, and one file may name all of them.
func TestPlacesOfOneName(t *testing.T) {
	ways := []cloud.Access{
		{}, {Region: "eu-west-1"}, {Region: "eu-central-1"}, {Profile: "eu-west-1"}, {Endpoint: "http://one:9000"}, {Endpoint: "http://two:9000"},
		{Region: "eu-west-1", Profile: "other"},
	}
	c := valid()
	stores := map[string]bool{}
	for _, way := range ways {
		way.Timeout = time.Second
		c.To.Also = append(c.To.Also,
			Output{Firehose: &firehose.Config{Stream: "audit", Access: way}}, Output{S3: &bucket.Config{Bucket: "audit", Access: way}})
	}
	for _, o := range c.To.list() {
		stores[checkpointName(c.Path, o.key())] = true
	}
	if err := c.Validate(); err != nil || len(stores) != 2*len(ways)+1 {
		t.Errorf("%d checkpoints for %d outputs: %v", len(stores), 2*len(ways)+1, err)
	}
}
