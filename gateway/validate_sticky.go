package gateway

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"yadokari/setting"
)

// ownAffinity is what affinity.cookie says for a cookie of the gateway's own.
const ownAffinity = "own"

func (c *Config) validateSticky(p *problems) {
	s := &c.Sticky
	kinds := s.kinds()
	p.check(len(kinds) < 2, "sticky", "a user is known by one thing, not by "+strings.Join(kinds, " and "), "keep one of them")
	p.check(s.Cookie == "" || isFieldName(s.Cookie), setting.Path{"sticky", "cookie"}, fmt.Sprintf("%q is not the name of a cookie", s.Cookie), "write a name, as in SESSION")
	p.check(s.Header == "" || isFieldName(s.Header), setting.Path{"sticky", "header"}, fmt.Sprintf("%q is not the name of a header", s.Header), "write a name, as in X-Space")
	for i, key := range s.Ahead {
		p.check(key != "", setting.Path{"sticky", "ahead", i}, "an empty key is no user", "write a key, or leave the item out")
	}
	s.validateOwn(p, c.ownCookies())
	c.validateAffinities(p)
}

// kinds are the names of the settings that say what the app's key is.
func (s *Sticky) kinds() (kinds []string) {
	for kind, set := range map[string]bool{"cookie": s.Cookie != "", "header": s.Header != "", "host": s.Host, "client": s.Client} {
		if set {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

func (s *Sticky) validateOwn(p *problems, used bool) {
	p.check(!s.Own || !s.Host, setting.Path{"sticky", "own"}, "with host every user of one host is one, and the cookie would never be asked", "leave own out, or host")
	p.check(!s.Own || !s.Client, setting.Path{"sticky", "own"}, "with client every user of one address is one, and the cookie would never be asked",
		"leave client out: without the cookie a user is known by the address anyway")
	p.check(isFieldName(s.Name), setting.Path{"sticky", "name"}, fmt.Sprintf("%q is not the name of a cookie", s.Name), "write a name, as in yadokari")
	p.check(!used || s.Name != s.Cookie, setting.Path{"sticky", "name"}, fmt.Sprintf("the cookie %s is the app's: it would be overwritten", s.Name), "choose another name")
	p.check(s.Lifetime >= time.Minute, setting.Path{"sticky", "lifetime"}, fmt.Sprintf("%s is too short: a user would change sides within it", s.Lifetime), "write at least 1m, as in 2160h for 90 days")
	p.check(used || s.OwnKeyFile == "", setting.Path{"sticky", "ownKeyFile"}, "no cookie is signed with it", "write own: true, or leave it out")
}

func (c *Config) validateAffinities(p *problems) {
	for name, b := range c.Backends {
		if b.Affinity == nil {
			continue
		}
		cookie, at := b.Affinity.Cookie, setting.Path{"backends", name, "affinity", "cookie"}
		p.check(isFieldName(cookie), at, fmt.Sprintf("%q is not the name of a cookie", cookie), "write own, or the name of a cookie that users have before their session begins")
		p.check(cookie != c.Sticky.Name || !c.Sticky.Own, at, fmt.Sprintf("%s is the gateway's own cookie", cookie), "write own")
	}
}
