package logshipper

import "sync"

// memory is what all batches together may take beyond the small one that every output has of its own.
type memory struct {
	mu   sync.Mutex
	left int
	free [][]byte // handed back, counted as taken
}

// take returns a buffer of size bytes, or nil when there is no room: the caller then makes do with what it
// has, so nobody waits for memory.
func (m *memory) take(size int) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, b := range m.free {
		if len(b) == size {
			m.free[i] = m.free[len(m.free)-1]
			m.free = m.free[:len(m.free)-1]
			return b
		}
	}
	for len(m.free) > 0 && m.left < size { // those of other sizes make room
		last := len(m.free) - 1
		m.left += len(m.free[last])
		m.free[last], m.free = nil, m.free[:last]
	}
	if m.left < size {
		return nil
	}
	m.left -= size
	return make([]byte, size)
}

func (m *memory) give(b []byte) {
	m.mu.Lock()
	m.free = append(m.free, b)
	m.mu.Unlock()
}

// trim hands what nobody uses to the garbage collector.
func (m *memory) trim() {
	m.mu.Lock()
	for _, b := range m.free {
		m.left += len(b)
	}
	m.free = nil
	m.mu.Unlock()
}
