package balance

import (
	"context"
	"time"
)

// startCheck checks s every Health.Every while Run runs and s is present. The caller holds mu.
func (g *Group[T]) startCheck(s *Server[T]) {
	checker, ok := any(s.Conns).(Checker)
	if g.config.Health == nil || !ok || g.running == nil || g.running.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(g.running)
	s.stopCheck = stop
	g.checks.Go(func() {
		defer stop()
		ticker := time.NewTicker(g.config.Health.Every)
		defer ticker.Stop()
		for {
			g.check(ctx, s, checker)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}

func (g *Group[T]) check(ctx context.Context, s *Server[T], checker Checker) {
	bounded, cancel := context.WithTimeout(ctx, g.config.Health.Timeout)
	defer cancel()
	err := checker.Check(bounded, g.config.Health.Path, g.config.Health.Host)
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() == nil {
		g.learnHealth(s, err)
	}
}

// learnHealth counts a check's result and changes the server's health when it is one too many. A new
// server's first check decides. The caller holds mu.
func (g *Group[T]) learnHealth(s *Server[T], err error) {
	if err == nil {
		s.good, s.bad = s.good+1, 0
		switch {
		case s.health == healthAssumed:
			s.health = healthGood
		case s.health == healthUnknown, s.health == healthBad && s.good >= g.config.Health.Rise:
			s.health = healthGood
			g.back(s, "its health checks went well")
		}
		return
	}
	s.good, s.bad = 0, s.bad+1
	s.lastError = err.Error()
	if s.health == healthBad || s.health != healthUnknown && s.bad < g.config.Health.Fall {
		return
	}
	s.health, s.since = healthBad, time.Now()
	g.log.Warn("server unhealthy", "backend", g.name, "server", s.ID, "checks", s.bad, "error", err)
	g.rebuild()
}
