package mirror

import (
	"strings"
	"sync"
)

// The bounds of what is learned and how fast it is forgotten.
const (
	maxFields    = maxDifferences * 3 / 2 // fields remembered for each shape
	maxSegments  = 8                      // segments of a path that tell shapes apart
	maxSiblings  = 24                     // different segments in one place, before all become one
	maxShapes    = 256
	enoughTrials = 8   // trials until a shape's noise counts as known
	enoughSeen   = 3   // times a difference is checked at once before it is left to chance
	forgetAfter  = 256 // comparisons, or trials, after which all counts are halved
	// A field is noise while the old side differs from itself at least this often, relative to how
	// often the new side differs from it. Diffy's own threshold compares the two rates likewise; a
	// quarter leaves room for chance in small counts.
	noiseRatio = 0.25
)

// field counts what was seen of one place: how often the new side differed from the old there, and
// how often the old side from itself. The counts are halved now and then, so both are rates of late.
type field struct{ raw, noise float64 }

// shape is what has been learned of the responses to one kind of request.
type shape struct {
	compared float64 // comparisons of old and new
	trials   float64 // comparisons of old and old
	fields   map[string]*field
}

// memory holds the shapes of one route. It is bounded whatever requests and responses come.
type memory struct {
	mu     sync.Mutex
	root   segment
	count  int // segments below root
	shapes map[string]*shape
}

// segment is a place in the paths seen. When too many different segments follow one, they are
// parameters and become one: /wiki/{}. What had been learned of each is dropped.
type segment struct {
	next   map[string]*segment
	merged *segment
}

func newMemory() *memory { return &memory{shapes: make(map[string]*shape)} }

// shapeOf names the kind of request: the path with what varies replaced by {}, method and status.
// It must be called with mu held.
func (m *memory) shapeOf(method, target, status string) string {
	path, _, _ := strings.Cut(target, "?")
	name := make([]byte, 0, len(method)+len(path)+8)
	at := &m.root
	for depth := 0; depth < maxSegments && path != ""; depth++ {
		path = strings.TrimPrefix(path, "/")
		var part string
		part, path, _ = strings.Cut(path, "/")
		part = part[:min(len(part), maxName)]
		if volatile([]byte(part)) {
			part = "{}"
		}
		name = append(name, '/')
		at, part = m.step(at, part, string(name))
		name = append(name, part...)
	}
	name = append(append(name, ' '), method...)
	return string(append(append(name, ' '), status...))
}

// step is the segment that follows at, and its name; above is the name of at.
func (m *memory) step(at *segment, part, above string) (*segment, string) {
	if at.merged != nil {
		return at.merged, "{}"
	}
	if next, ok := at.next[part]; ok {
		return next, part
	}
	if len(at.next) >= maxSiblings || m.count >= maxShapes {
		m.merge(at, above)
		return at.merged, "{}"
	}
	if at.next == nil {
		at.next = make(map[string]*segment)
	}
	m.count++
	next := &segment{}
	at.next[part] = next
	return next, part
}

// merge makes one of all segments that follow at.
func (m *memory) merge(at *segment, above string) {
	m.count -= at.size() - 1
	at.next, at.merged = nil, &segment{}
	m.count++
	for name := range m.shapes {
		if strings.HasPrefix(name, above) {
			delete(m.shapes, name)
		}
	}
}

// size is the number of segments from s on.
func (s *segment) size() int {
	size := 1
	if s.merged != nil {
		size += s.merged.size()
	}
	for _, next := range s.next {
		size += next.size()
	}
	return size
}

// at is what has been learned of a kind of request. It must be called with mu held.
func (m *memory) at(method, target, status string) *shape {
	name := m.shapeOf(method, target, status)
	s, ok := m.shapes[name]
	if !ok {
		for other := range m.shapes { // any one: learning again costs a few requests
			if len(m.shapes) < maxShapes {
				break
			}
			delete(m.shapes, other)
		}
		s = &shape{fields: make(map[string]*field)}
		m.shapes[name] = s
	}
	return s
}

// trial notes where two answers of the old side differ.
func (s *shape) trial(found []difference) {
	s.trials++
	for i := range found {
		s.field(found[i].key).noise++
	}
	s.forget()
}

// compare notes where the new side's answer differs from the old side's.
func (s *shape) compare(found []difference) {
	s.compared++
	for i := range found {
		s.field(found[i].key).raw++
	}
	s.forget()
}

func (s *shape) field(key string) *field {
	f, ok := s.fields[key]
	if !ok {
		if len(s.fields) >= maxFields {
			s.evict()
		}
		f = &field{}
		s.fields[key] = f
	}
	return f
}

// evict drops the field seen least.
func (s *shape) evict() {
	least, key := 0.0, ""
	for k, f := range s.fields {
		if sum := f.raw + f.noise; key == "" || sum < least {
			least, key = sum, k
		}
	}
	delete(s.fields, key)
}

// forget halves the counts when there are many, and drops the fields that fade away.
func (s *shape) forget() {
	rawBy, noiseBy := 1.0, 1.0
	if s.compared >= forgetAfter {
		s.compared, rawBy = s.compared/2, 0.5
	}
	if s.trials >= forgetAfter {
		s.trials, noiseBy = s.trials/2, 0.5
	}
	if rawBy == 1 && noiseBy == 1 {
		return
	}
	for key, f := range s.fields {
		f.raw, f.noise = f.raw*rawBy, f.noise*noiseBy
		if f.raw+f.noise < 0.5 {
			delete(s.fields, key)
		}
	}
}

// noisy tells whether a difference at key is noise by what has been learned.
func (s *shape) noisy(key string) bool {
	f, ok := s.fields[key]
	if !ok || f.noise == 0 || s.trials == 0 || s.compared == 0 {
		return false
	}
	return f.noise/s.trials >= noiseRatio*f.raw/s.compared
}

// surprising tells whether a difference at key has been seen so rarely that it is worth asking the
// old side again at once.
func (s *shape) surprising(key string) bool {
	f, ok := s.fields[key]
	return !ok || f.raw < enoughSeen
}

// compare learns where the new side's answer differed, and tells which of the differences are noise
// and whether asking the old side again is due: because little is known of this kind of request, or
// because a difference is too new to be believed.
func (m *memory) compare(method, target, status string, found []difference) (noise []bool, due bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.at(method, target, status)
	due = s.trials < enoughTrials
	noise = make([]bool, len(found))
	for i := range found {
		noise[i] = s.noisy(found[i].key)
		due = due || !noise[i] && s.surprising(found[i].key)
	}
	s.compare(found)
	return noise, due
}

// known tells which differences are noise by what has been learned so far.
func (m *memory) known(method, target, status string, found []difference) []bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.at(method, target, status)
	noise := make([]bool, len(found))
	for i := range found {
		noise[i] = s.noisy(found[i].key)
	}
	return noise
}

// learn learns where the old side differed from itself, and tells which of the differences found in
// the same exchange are noise.
func (m *memory) learn(method, target, status string, found, trial []difference) (noise []bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.at(method, target, status)
	s.trial(trial)
	noise = make([]bool, len(found))
	for i := range found {
		key := found[i].key
		noise[i] = s.noisy(key) || among(trial, key)
	}
	return noise
}
