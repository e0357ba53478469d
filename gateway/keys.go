package gateway

import (
	"time"

	"yadokari/gateway/keys"
)

// KeyStatus is how well the key holds that the app gives its users (sticky.cookie), in the last minute.
type KeyStatus struct {
	// Cookie is its name; "" when users are known by something that the app cannot change.
	Cookie string `json:"cookie,omitempty"`
	keys.Holding
	// Warning says that it does not hold, and what to do.
	Warning string `json:"warning,omitempty"`
}

// missing is the part of requests without a key.
func (k *KeyStatus) missing() float64 {
	if k.Requests == 0 {
		return 0
	}
	return float64(k.Without) / float64(k.Requests)
}

// Keys is how well the key holds.
func (g *Gateway) Keys() KeyStatus {
	s := g.table.Load().sticky
	if s.cookie == "" || s.own != nil {
		return KeyStatus{}
	}
	h := g.churn.Last(time.Now())
	return KeyStatus{Cookie: s.cookie, Holding: h, Warning: h.Warning(s.cookie)}
}
