package config

import (
	"errors"
	"fmt"

	"yadokari/agent"
	"yadokari/gateway"
	"yadokari/setting"
)

// Config is the whole of yadokari.yaml. A section that is left out is nil: that part is not used.
type Config struct {
	// App is the name of the application being moved, in logs and metrics: letters, digits, - _ and .
	App string `yaml:"app" default:"app"`
	// Gateway stands in front of the application and moves its URLs, route by route.
	Gateway *gateway.Config `yaml:"gateway"`
	// Agent runs beside the application: its mail, its log files, and an ordered stop.
	Agent *agent.Config `yaml:"agent"`
	// Clusters are the service clusters by name. Each holds only what differs there; it is merged over
	// the rest of the file when the cluster is chosen with --cluster.
	Clusters map[string]Differences `yaml:"clusters"`
}

// Differences are what one service cluster changes: the keys of the file itself, except clusters.
// Mappings merge, null takes a key away, and lists replace, but lists whose items all have a name merge
// by that name.
type Differences struct{ node *node }

// Validate says what is wrong with values that are well formed, as *setting.Problem, joined.
func (c *Config) Validate() error {
	var problems []error
	if !setting.IsName(c.App) {
		problems = append(problems, &setting.Problem{
			Path:   setting.Path{"app"},
			What:   fmt.Sprintf("%q is not a name", c.App),
			Remedy: "use letters, digits, - _ and .",
		})
	}
	if c.Gateway != nil {
		problems = append(problems, setting.Under(c.Gateway.Validate(), "gateway"))
	}
	if c.Agent != nil {
		problems = append(problems, setting.Under(c.Agent.Validate(), "agent"))
	}
	return errors.Join(problems...)
}

// ValidateFiles reads the files that the settings name (certificates, secrets) and says what is wrong
// with them, as *setting.Problem, joined. It is meant for the machine the file will be used on.
func (c *Config) ValidateFiles() error {
	var problems []error
	if c.Gateway != nil {
		problems = append(problems, setting.Under(c.Gateway.ValidateFiles(), "gateway"))
	}
	if c.Agent != nil {
		problems = append(problems, setting.Under(c.Agent.ValidateFiles(), "agent"))
	}
	return errors.Join(problems...)
}
