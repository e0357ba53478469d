package shift

import (
	"time"

	"yadokari/judge"
	"yadokari/setting"
)

// Config is the journey of one route: the shift: section of yadokari.yaml.
type Config struct {
	// Stages are the steps: mirror first if at all, then growing shares up to 100%.
	Stages []string `yaml:"stages" default:"mirror,1%,5%,25%,50%,100%"`
	// Hold is the least time in a stage.
	Hold time.Duration `yaml:"hold" default:"10m"`
	// MinRequests is the least number of requests on the new side in a stage.
	MinRequests int `yaml:"minRequests" default:"500"`
	// Promote is auto (the next stage follows a pass by itself) or manual (a person promotes).
	Promote string `yaml:"promote" default:"auto"`
	// Tolerate is how much worse than the old side the new one may be.
	Tolerate judge.Tolerance `yaml:"tolerate"`
	// Alpha is the chance, per stage, that a side which is as good is ever condemned.
	Alpha setting.Share `yaml:"alpha" default:"0.1%"`
	// Breaker is the number of first attempts on the new side that fail one after the other and send
	// everyone back at once, without statistics; 0 switches it off.
	Breaker int `yaml:"breaker" default:"5"`
	// Linger is how long upgraded connections (WebSocket) to the new side live on after a rollback.
	Linger time.Duration `yaml:"linger" default:"30s"`
}
