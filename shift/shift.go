// Package shift is the control loop that moves one route's users from the old side to the new, stage
// by stage, and back at the first problem.
package shift

import (
	"yadokari/judge"
	"yadokari/setting"
)

// Placement is where a data plane serves one route's users.
type Placement struct {
	// Share is the part of the users, by their sticky key, that the new side serves.
	Share setting.Share
	// Mirror asks for a copy of safe requests to the new side while the old side answers.
	Mirror bool
	// Pairs asks for a sample of the moved users' safe requests to be asked of the old side as well, so that
	// answers can be compared.
	Pairs bool
	// Ahead sends the listed keys ("our own space first") to the new side whatever the share is.
	Ahead bool
	// To is the backend that the placement was decided for, empty when nobody is placed on it. A data
	// plane whose new side is another one by now refuses: that one has earned no share.
	To string
}

// DataPlane is what the control loop needs of the thing that carries the requests. The gateway is one;
// NGINX can be another. Its methods are safe for concurrent use.
type DataPlane interface {
	// Apply makes p the placement of the named route. When it returns nil, every request that begins
	// afterwards is placed by p; requests under way end where they are. An error leaves the former
	// placement in force. Moving users back (Placement{}) must need nothing that can be full or slow.
	// Calls for one route come one after the other; those for several routes may come together. While
	// one is under way the route's status cannot be told, so it ends within seconds in any case.
	Apply(route string, p Placement) error
	// Collect adds what the route's sides have done since the last call to w and starts anew. w is
	// the caller's and is reused; a route the plane does not know leaves it as it is.
	Collect(route string, w *judge.Window)
}
