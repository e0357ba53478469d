package config

// merge returns base with a cluster's differences laid over it: mappings merge key by key, null takes
// a key away, lists of named items merge by name, everything else is replaced. Places are kept.
func merge(base, over *node) *node {
	switch {
	case base.kind == mapping && over.kind == mapping:
		return mergeMappings(base, over)
	case isNamed(base) && isNamed(over):
		return mergeNamed(base, over)
	default:
		return withoutNulls(over)
	}
}

func mergeMappings(base, over *node) *node {
	merged := &node{place: base.place, kind: mapping, fields: make([]field, 0, len(base.fields)+len(over.fields))}
	changes := make(map[string]*field, len(over.fields))
	for i := range over.fields {
		changes[over.fields[i].key] = &over.fields[i]
	}
	kept := make(map[string]bool, len(base.fields))
	for _, f := range base.fields {
		kept[f.key] = true
		change := changes[f.key]
		switch {
		case change == nil:
			merged.fields = append(merged.fields, f)
		case !change.value.null:
			merged.fields = append(merged.fields, field{key: f.key, at: change.at, value: merge(f.value, change.value)})
		}
	}
	for _, f := range over.fields {
		if !kept[f.key] && !f.value.null {
			merged.fields = append(merged.fields, field{key: f.key, at: f.at, value: withoutNulls(f.value)})
		}
	}
	return merged
}

// withoutNulls returns a value that only the cluster has. A null in it has nothing to take away.
func withoutNulls(n *node) *node {
	if n.kind != mapping {
		return n
	}
	return mergeMappings(&node{place: n.place, kind: mapping}, n)
}

// isNamed says whether n is a list with items, all of them mappings that have a name.
func isNamed(n *node) bool {
	if n.kind != list || len(n.items) == 0 {
		return false
	}
	for _, item := range n.items {
		if item.kind != mapping || nameOf(item) == "" {
			return false
		}
	}
	return true
}

func nameOf(n *node) string {
	if f := n.get("name"); f != nil && f.value.kind == scalar {
		return f.value.text
	}
	return ""
}

// mergeNamed keeps the order of base and puts new names behind it.
func mergeNamed(base, over *node) *node {
	merged := &node{place: base.place, kind: list, items: make([]*node, len(base.items), len(base.items)+len(over.items))}
	copy(merged.items, base.items)
	at := make(map[string]int, len(base.items))
	for i, item := range base.items {
		if _, twice := at[nameOf(item)]; !twice {
			at[nameOf(item)] = i
		}
	}
	for _, item := range over.items {
		if i, ok := at[nameOf(item)]; ok {
			merged.items[i] = merge(merged.items[i], item)
			continue
		}
		at[nameOf(item)] = len(merged.items)
		merged.items = append(merged.items, withoutNulls(item))
	}
	return merged
}
