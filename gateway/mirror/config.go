// Package mirror sends copies of requests to the new side while the old side answers, and compares
// the two responses.
package mirror

import "yadokari/setting"

// Config says which copies are made in the mirror stage and what of the two responses is compared.
type Config struct {
	// Rate is the part of safe requests that is copied.
	Rate setting.Share `yaml:"rate" default:"100%"`
	// Noise is the part of copied requests for which the old side is asked a second time, to learn
	// what differs between two answers of one side.
	Noise setting.Share `yaml:"noise" default:"20%"`
	// Concurrency is the most copies under way at once; what comes on top is not copied but counted.
	Concurrency int `yaml:"concurrency" default:"16"`
	// Headers are the response headers compared, besides the status and the body.
	Headers []string `yaml:"headers" default:"Content-Type,Location,Cache-Control"`
	// Body is the most of a body that is compared; a longer one is compared by its first part.
	Body setting.Size `yaml:"body" default:"256KiB"`
	// Ignore are JSON paths (a.b[].c) or header names that are known to differ.
	Ignore []string `yaml:"ignore"`
	// Examples is the most differences kept to look at.
	Examples int `yaml:"examples" default:"20"`
}
