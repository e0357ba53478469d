package agent

import (
	"context"

	"yadokari/admin"
	"yadokari/lifecycle"
)

// Part takes something from the app and hands it on. What it has accepted it must have handed on, or
// left safe, when its phases are over.
type Part interface {
	// Name tells the part from others, in logs.
	Name() string
	// Run works until the part's phases are over, or ctx ends, and returns nil then. That it ends before
	// stops the agent.
	Run(ctx context.Context) error
	// Phases are how the part ends, once the app has finished. Those that name nothing in After come
	// after the app and the parts before this one. Their contexts end when they must leave things safe.
	Phases() []lifecycle.Phase
	// Accounts say what came in and what became of it, at any moment. After the phases nothing is under
	// way, and the sums are final.
	Accounts() []lifecycle.Account
	// Activity grows when the app hands something over.
	Activity() int64
	// Ready says why the part takes nothing now; nil: it does.
	Ready() error
	// Register adds what the part shows to the admin port.
	Register(s *admin.Server)
}
