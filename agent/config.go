package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yadokari/admin"
	"yadokari/lifecycle"
	"yadokari/logshipper"
	"yadokari/mailrelay"
	"yadokari/setting"
)

// Config says what runs beside the app, and how it stops. A part whose section is left out is not started.
type Config struct {
	// Admin is where the mail queue, the state of log files, metrics and probes are served. Without an
	// address of its own that is 127.0.0.1:8082, beside the gateway's.
	Admin admin.Config `yaml:"admin" default:"127.0.0.1:8082"`
	// Shutdown is how a stop goes.
	Shutdown Shutdown `yaml:"shutdown"`
	// Mail takes the app's mail and hands it on.
	Mail *mailrelay.Config `yaml:"mail"`
	// Logs are the log files to ship, to the last line.
	Logs []logshipper.Config `yaml:"logs"`
}

// Shutdown is how a stop goes: not ready any more, Deregister, the app, the parts, the receipt. The
// shares are what each is promised; time that one does not use passes on to the next.
type Shutdown struct {
	// Grace is the time for the whole stop. In a pod, terminationGracePeriodSeconds must be at least 2 s
	// longer: at its end the kubelet kills.
	Grace time.Duration `yaml:"grace" default:"60s"`
	// Deregister is how long the app goes on serving after SIGTERM, while balancers take the address
	// out. It is kept only with a command; beside an app that others stop, the agent serves until that
	// has finished.
	Deregister time.Duration `yaml:"deregister" default:"5s"`
	// App is the share of Grace promised to the app for its own stop; then it is killed, or no longer
	// waited for.
	App setting.Share `yaml:"app" default:"35%"`
	// Mail is the share of Grace promised to the delivery of what is queued.
	Mail setting.Share `yaml:"mail" default:"20%"`
	// Logs is the share of Grace promised to the delivery of what is in the log files.
	Logs setting.Share `yaml:"logs" default:"20%"`
	// Reserve is the share of Grace kept for leaving safe what could not be handed on.
	Reserve setting.Share `yaml:"reserve" default:"10%"`
	// Marker is the file the app leaves when it has written everything out. Empty is enough; it may hold
	// {"exit": CODE}. With a command it is removed before the app starts.
	Marker string `yaml:"marker"`
	// Ports are host:port where the app listens while it runs: beside an app that others stop, it has not
	// finished while one of them answers.
	Ports []string `yaml:"ports"`
	// Files are patterns of files that the app writes to, as in /var/log/app/*.log: an app that left no
	// marker has finished when no port answers and, for Quiet, no file changed, no mail came and no log grew.
	Files []string `yaml:"files"`
	// Quiet is how long nothing may happen.
	Quiet time.Duration `yaml:"quiet" default:"2s"`
	// Done is the agent's own marker, written last of all: {"exit": CODE}. Empty: none.
	Done string `yaml:"done"`
	// Receipt is a file for the receipt, beside the line on stdout. Empty: none.
	Receipt string `yaml:"receipt"`
	// Termination is the pod's termination message, written if there is such a file.
	Termination string `yaml:"termination" default:"/dev/termination-log"`
	// PodGraceFile holds the pod's terminationGracePeriodSeconds, such as an annotation in a downward
	// API volume. A plan that does not fit into it is refused at the start. Empty: --pod-grace or
	// YADOKARI_POD_GRACE say it, or nobody does.
	PodGraceFile string `yaml:"podGraceFile"`
}

// Validate says what is wrong with the settings, as *setting.Problem, joined. It reads no file.
func (c *Config) Validate() error {
	problems := []error{setting.Under(c.Admin.Validate(), "admin"), setting.Under(c.Shutdown.validate(), "shutdown")}
	if c.Mail != nil {
		problems = append(problems, setting.Under(c.Mail.Validate(), "mail"))
	}
	problems = append(problems, setting.Under(logshipper.ValidateAll(c.Logs), "logs"))
	plan := c.plan(withCommand, func(context.Context) error { return nil }, c.outline())
	if err := plan.Check(); err != nil {
		problems = append(problems, &setting.Problem{
			Path: setting.Path{"shutdown", "grace"}, What: err.Error(), Remedy: "give more time, or smaller shares",
		})
	}
	return errors.Join(problems...)
}

// ValidateFiles reads the files that the settings name and says what is wrong with them, as
// *setting.Problem, joined.
func (c *Config) ValidateFiles() error {
	return setting.Under(c.Admin.ValidateFiles(), "admin")
}

func (s *Shutdown) validate() error {
	var problems []error
	wrong := func(what, remedy string, path ...any) {
		problems = append(problems, &setting.Problem{Path: path, What: what, Remedy: remedy})
	}
	for i, port := range s.Ports {
		if err := (&lifecycle.Proof{Ports: []string{port}}).Validate(); err != nil {
			wrong(err.Error(), "write an address, as in 127.0.0.1:8080", "ports", i)
		}
	}
	for i, file := range s.Files {
		if err := (&lifecycle.Proof{Files: []string{file}}).Validate(); err != nil {
			wrong(err.Error(), "write a path, as in /var/log/app/*.log", "files", i)
		}
	}
	if s.Quiet < minQuiet || s.Quiet > s.Grace {
		wrong(fmt.Sprintf("%v is not a time to wait for quiet", s.Quiet), fmt.Sprintf("write %v or more, and less than grace", minQuiet), "quiet")
	}
	if s.Marker != "" && s.Marker == s.Done {
		wrong("the agent's marker would be taken for the app's", "name another file", "done")
	}
	return errors.Join(problems...)
}

// minQuiet is a few looks at what the app does.
const minQuiet = 500 * time.Millisecond

// outline are the phases of the parts that would be started, without what they do.
func (c *Config) outline() (phases []lifecycle.Phase) {
	after := []string{appPhase}
	add := func(name string, share setting.Share) {
		phases = append(phases, lifecycle.Phase{Name: name, After: after, Share: share, Do: func(context.Context) error { return nil }})
		after = []string{name}
	}
	if c.Mail != nil {
		add(mailName, c.Shutdown.Mail)
	}
	if len(c.Logs) > 0 {
		add(logsName, c.Shutdown.Logs)
	}
	return phases
}
