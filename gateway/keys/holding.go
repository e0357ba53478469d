package keys

import "fmt"

const (
	leastUsers    = 20  // of whom a part says something
	leastRequests = 100 // of which a part says something
)

// Warning says in a sentence that the cookie of that name does not hold; "" when it does, or when too
// little was seen to tell. Users who log in or out get another key rightly: one in ten is none too many.
func (h Holding) Warning(cookie string) string {
	switch {
	case h.Users >= leastUsers && 10*h.Changed >= h.Users:
		return fmt.Sprintf("%d %% of users changed key within a minute: the cookie %s does not hold, so they change sides; see sticky.own",
			100*h.Changed/h.Users, cookie)
	case h.Requests >= leastRequests && 2*h.Without >= h.Requests:
		return fmt.Sprintf("%d %% of requests carry no cookie %s and are known by the client's address: if it comes at login only, users change sides there; see sticky.own",
			100*h.Without/h.Requests, cookie)
	}
	return ""
}
