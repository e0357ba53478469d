package shift

import "time"

// Note enters into the ledger what was done to a server of a backend: ActDrain or ActUndrain. It moves no
// route. It has been done already, so Note does not wait for the disk: like a rollback it is kept, and saved
// as often as it takes.
func (c *Controller) Note(action Action, by Actor, backend, server string) {
	note := &change{
		applied: true, done: make(chan struct{}),
		entry: Entry{Time: time.Now(), Actor: by, Cluster: c.cluster, Action: action, Backend: backend, Server: server},
	}
	c.mu.Lock()
	full := len(c.queue) >= mostOutbox
	c.mu.Unlock()
	if full {
		c.logger.Error("not in the ledger, which has not been written for long", "action", action, "actor", by.Name, "backend", backend, "server", server)
		return
	}
	c.enqueue(note)
}
