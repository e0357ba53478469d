package tracker

import (
	"maps"
	"sync"
)

// Stats are this copy's own counts since its start.
type Stats struct {
	Build       string           `json:"build"`
	Requests    int64            `json:"requests"` // ended ones
	InFlight    int64            `json:"inFlight"`
	Routes      map[string]int64 `json:"routes"` // by pattern, those that reached a page
	Subscribers int              `json:"subscribers"`
	Mail        MailCounts       `json:"mail"`
	Audit       AuditCounts      `json:"audit"`
	Faults      []FaultCounts    `json:"faults"`
}

// Stats reads the counts.
func (s *Server) Stats() Stats {
	stats := Stats{
		Build: s.config.Version, Subscribers: s.hub.count(),
		Mail: s.mail.counts(), Audit: s.audit.counts(), Faults: s.faults.counts(),
	}
	s.stats.read(&stats)
	return stats
}

// requestStats counts requests.
type requestStats struct {
	mu              sync.Mutex
	ended, inFlight int64
	routes          map[string]int64
}

func (c *requestStats) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight++
}

func (c *requestStats) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
	c.ended++
}

func (c *requestStats) route(pattern string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.routes == nil {
		c.routes = make(map[string]int64)
	}
	c.routes[pattern]++ // bounded: patterns are this program's own
}

func (c *requestStats) read(stats *Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats.Requests, stats.InFlight, stats.Routes = c.ended, c.inFlight, maps.Clone(c.routes)
}
