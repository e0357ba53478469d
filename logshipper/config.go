package logshipper

import (
	"time"

	"yadokari/cloud/bucket"
	"yadokari/logshipper/firehose"
	"yadokari/setting"
)

// Config is one item of agent.logs in yadokari.yaml: which files, cut how, sent where.
type Config struct {
	// Path is the files to ship, absolute; *, ? and [a-z] match within one name. Every file that matches
	// is shipped from its first byte; files that appear later are opened at once (by inotify), or found within a
	// second where that cannot be had.
	Path string `yaml:"path" required:"true"`
	// Rotated is a pattern, as Path, of the names that rotation gives files, when those are not Path's
	// directory and name with something appended. It is only used to find again what was renamed or copied.
	Rotated string `yaml:"rotated"`
	// Start is a regular expression for the first line of an entry that spans lines (a stack trace).
	// Lines that do not match belong to the entry before. Empty: every line is an entry.
	Start string `yaml:"start"`
	// Pause is how long a file must be quiet before its last entry is taken to be complete, with Start.
	Pause time.Duration `yaml:"pause" default:"2s"`
	// Every is the longest time that a line waits for others before it is sent.
	Every time.Duration `yaml:"every" default:"60s"`
	// Size is how much is sent at once, at most; a batch of this size does not wait for Every. 64KiB to 64MiB.
	Size setting.Size `yaml:"size" default:"4MiB"`
	// Line is the longest entry, in bytes; a longer one is split, and nothing of it is lost. At most a
	// quarter of Size.
	Line setting.Size `yaml:"line" default:"256KiB"`
	// Format is raw (entries as they are) or json (one object a line with host, pod, cluster, file, offset
	// and an id, FILE-OFFSET-LENGTH, by which duplicates can be removed).
	Format string `yaml:"format" default:"raw" enum:"raw,json"`
	// To is where the entries go: one output or several. Each has its own place in the files, so that
	// one that is down holds up no other; a line counts as acknowledged when all have it.
	To Outputs `yaml:"to"`
	// Checkpoints is the directory in which the shipper notes how far each file is acknowledged. It must
	// live as long as the files do.
	Checkpoints string `yaml:"checkpoints" default:"/var/lib/yadokari/logs"`
	// Linger is how long a file is still watched after it was renamed or removed and was quiet.
	Linger time.Duration `yaml:"linger" default:"1m"`
	// Leftover is where the rest of the files goes that could not be delivered at a stop. Leave it out
	// where the files themselves outlive the agent, as on a VM: they are read on at the next start.
	Leftover Leftover `yaml:"leftover"`
}

// Leftover is where goes what could not be delivered at a stop.
type Leftover struct {
	// Dir is the directory, on a disk that outlives the pod; yadokari logs ship sends what is there.
	Dir string `yaml:"dir"`
}

// Outputs are where entries go. At least one must be named; each that is gets every entry.
type Outputs struct {
	Output `yaml:",inline"`
	// Also are further outputs, for two of one kind.
	Also []Output `yaml:"also"`
}

// Output is one destination of each kind that is named.
type Output struct {
	// Firehose is an Amazon Data Firehose stream.
	Firehose *firehose.Config `yaml:"firehose"`
	// S3 is a bucket of Amazon S3, or of another service that speaks its protocol.
	S3 *bucket.Config `yaml:"s3"`
	// Dir is a directory that gets one file for each file shipped.
	Dir *Dir `yaml:"dir"`
	// Stdout is the agent's own standard output.
	Stdout *Stdout `yaml:"stdout"`
}

// Dir keeps a copy of every file in CLUSTER/HOST/NAME.TIME.ID below a directory: the bytes as they are
// (raw) or one object a line (json). A batch that is delivered again after a crash is written to the
// same place, so nothing is there twice.
type Dir struct {
	// Path is the directory; it is made if need be.
	Path string `yaml:"path" required:"true"`
}

// Stdout writes entries to standard output. What a crash cuts off there is sent again.
type Stdout struct{}

// What Format may say.
const (
	FormatRaw  = "raw"
	FormatJSON = "json"
)
