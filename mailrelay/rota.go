package mailrelay

// rota hands out items fairly: key by key in turn, and within a key, second key by second key in turn.
// Items are given up lazily: one that was taken from elsewhere is passed over.
type rota struct {
	first, second func(*item) string
	keys          map[string]*turn
	ring          []*turn // those whose turn is to come
	size          int     // items, those no longer wanted too
}

// turn is the share of one first key.
type turn struct {
	key    string
	second map[string]*lane
	ring   []*lane
}

// lane is the items of one pair of keys, oldest first.
type lane struct {
	key   string
	items []*item
}

func newRota(first, second func(*item) string) *rota {
	return &rota{first: first, second: second, keys: map[string]*turn{}}
}

func (r *rota) push(it *item) {
	key := r.first(it)
	t := r.keys[key]
	if t == nil {
		t = &turn{key: key, second: map[string]*lane{}}
		r.keys[key] = t
		r.ring = append(r.ring, t)
	}
	key = r.second(it)
	l := t.second[key]
	if l == nil {
		l = &lane{key: key}
		t.second[key] = l
		t.ring = append(t.ring, l)
	}
	l.items = append(l.items, it)
	r.size++
}

// pop takes the next item that is still wanted, or returns nil.
func (r *rota) pop(wanted func(*item) bool) *item {
	for len(r.ring) > 0 {
		t := r.ring[0]
		r.ring = r.ring[1:]
		it, passed := t.pop(wanted)
		r.size -= passed
		if len(t.ring) > 0 {
			r.ring = append(r.ring, t)
		} else {
			delete(r.keys, t.key)
		}
		if it != nil {
			return it
		}
	}
	return nil
}

// pop also tells how many items it took out.
func (t *turn) pop(wanted func(*item) bool) (it *item, passed int) {
	for len(t.ring) > 0 {
		l := t.ring[0]
		t.ring = t.ring[1:]
		for it == nil && len(l.items) > 0 {
			if wanted(l.items[0]) {
				it = l.items[0]
			}
			l.items[0] = nil
			l.items = l.items[1:]
			passed++
		}
		if len(l.items) > 0 {
			t.ring = append(t.ring, l)
		} else {
			delete(t.second, l.key)
		}
		if it != nil {
			return it, passed
		}
	}
	return nil, passed
}
