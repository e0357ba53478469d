package logshipper

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"yadokari/setting"
)

// Bounds of Config.Size, and the longest line with Format json: the worst escaping must fit a record.
const (
	leastSize    = 64 << 10
	mostSize     = 64 << 20
	leastLine    = 256
	mostLineJSON = 256 << 10
	mostLine     = 999 << 10
)

// ValidateAll says what is wrong with each of the items, and with all of them together.
func ValidateAll(items []Config) error {
	var problems []error
	seen := map[string]bool{}
	for i := range items {
		c := &items[i]
		problems = append(problems, setting.Under(c.Validate(), i))
		own := map[string]bool{} // what is twice in one item is said there
		for _, output := range c.To.list() {
			store := filepath.Join(c.Checkpoints, checkpointName(c.Path, output.key()))
			if seen[store] && !own[store] {
				problems = append(problems, &setting.Problem{
					Path: setting.Path{i}, What: c.Path + " goes to " + output.key() + " twice", Remedy: "leave one of the items out",
				})
			}
			seen[store], own[store] = true, true
		}
	}
	return errors.Join(problems...)
}

// Validate says what is wrong with the settings, as *setting.Problem, joined. It reads no file.
func (c *Config) Validate() error {
	var problems []error
	add := func(what, remedy string, path ...any) {
		problems = append(problems, &setting.Problem{Path: path, What: what, Remedy: remedy})
	}
	c.validatePaths(add)
	if _, err := regexp.Compile(c.Start); err != nil {
		add(fmt.Sprintf("%q is not a regular expression: %v", c.Start, err), `as in "^\d{4}-"`, "start")
	}
	if c.Format != FormatRaw && c.Format != FormatJSON {
		add(fmt.Sprintf("%q is not known here", c.Format), "write raw or json", "format")
	}
	if c.Every <= 0 {
		add("must be more than 0s", "as in 60s", "every")
	}
	for key, d := range map[string]time.Duration{"pause": c.Pause, "linger": c.Linger} {
		if d < 0 {
			add("must not be less than 0s", "as in 2s", key)
		}
	}
	if c.Size < leastSize || c.Size > mostSize {
		add(fmt.Sprintf("%s is out of range", c.Size), "64KiB to 64MiB", "size")
	}
	c.validateLine(add)
	problems = append(problems, setting.Under(c.To.validate(), "to"))
	return errors.Join(problems...)
}

func (c *Config) validatePaths(add func(what, remedy string, path ...any)) {
	for key, pattern := range map[string]string{"path": c.Path, "rotated": c.Rotated} {
		if pattern == "" && key == "rotated" {
			continue
		}
		if _, err := filepath.Match(pattern, ""); err != nil || !filepath.IsAbs(pattern) {
			add(fmt.Sprintf("%q is not the pattern of an absolute path", pattern), "as in /var/log/app/*.log", key)
		}
	}
	if !filepath.IsAbs(c.Checkpoints) {
		add(fmt.Sprintf("%q is not an absolute path", c.Checkpoints), "as in /var/lib/yadokari/logs", "checkpoints")
	}
	if c.Leftover.Dir != "" && !filepath.IsAbs(c.Leftover.Dir) {
		add(fmt.Sprintf("%q is not an absolute path", c.Leftover.Dir), "as in /var/spool/yadokari/logs", "leftover", "dir")
	}
}

func (c *Config) validateLine(add func(what, remedy string, path ...any)) {
	most := min(c.Size/4, mostLine)
	if c.Format == FormatJSON {
		most = min(most, mostLineJSON)
	}
	if c.Line < leastLine || c.Line > most && most >= leastLine {
		add(fmt.Sprintf("%s is out of range", c.Line), fmt.Sprintf("256B to %s with this size and format", most), "line")
	}
}

func (o *Outputs) validate() error {
	var problems []error
	if len(o.list()) == 0 {
		problems = append(problems, &setting.Problem{What: "no output is named", Remedy: "name firehose, s3, dir or stdout"})
	}
	problems = append(problems, o.Output.validate())
	for i := range o.Also {
		problems = append(problems, setting.Under(o.Also[i].validate(), "also", i))
	}
	seen := map[string]bool{}
	for _, one := range o.list() {
		if key := one.key(); seen[key] {
			problems = append(problems, &setting.Problem{What: key + " is named twice", Remedy: "name it once"})
		} else {
			seen[key] = true
		}
	}
	return errors.Join(problems...)
}

func (o *Output) validate() error {
	var problems []error
	if o.Firehose != nil {
		problems = append(problems, setting.Under(o.Firehose.Validate(), "firehose"))
	}
	if o.S3 != nil {
		problems = append(problems, setting.Under(o.S3.Validate(), "s3"))
	}
	if o.Dir != nil && !filepath.IsAbs(o.Dir.Path) {
		problems = append(problems, &setting.Problem{
			Path: setting.Path{"dir", "path"}, What: fmt.Sprintf("%q is not an absolute path", o.Dir.Path), Remedy: "as in /srv/archive",
		})
	}
	return errors.Join(problems...)
}

// list is every output that is named, each alone.
func (o *Outputs) list() (all []Output) {
	for _, one := range append([]Output{o.Output}, o.Also...) {
		if one.Firehose != nil {
			all = append(all, Output{Firehose: one.Firehose})
		}
		if one.S3 != nil {
			all = append(all, Output{S3: one.S3})
		}
		if one.Dir != nil {
			all = append(all, Output{Dir: one.Dir})
		}
		if one.Stdout != nil {
			all = append(all, Output{Stdout: one.Stdout})
		}
	}
	return all
}

// key names a single output: by it a checkpoint and a leftover find their output again. A stream of the same name in
// another region, or of another account, is another one; what the environment says of them is not in the file.
func (o *Output) key() string {
	switch {
	case o.Firehose != nil:
		return "firehose:" + o.Firehose.Stream + o.Firehose.Suffix()
	case o.S3 != nil:
		return "s3:" + o.S3.Bucket + "/" + o.S3.Prefix + o.S3.Suffix()
	case o.Dir != nil:
		return "dir:" + o.Dir.Path
	}
	return "stdout"
}
