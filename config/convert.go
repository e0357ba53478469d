package config

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"yadokari/setting"
)

// reader turns the YAML library's tree into nodes.
type reader struct {
	f    *finder
	made map[*yaml.Node]*node // anchors already converted, so that aliases cost nothing
	open map[*yaml.Node]bool  // what is being converted, to find an anchor that holds itself
}

// convert returns n as a node. Its error is errStop.
func (r *reader) convert(n *yaml.Node, path setting.Path) (*node, error) {
	at := place{max(n.Line, 1), max(n.Column, 1)}
	if n.Kind == yaml.AliasNode {
		return r.alias(n, at, path)
	}
	if len(r.open) >= maxDepth {
		return nil, r.stop(at, nil, fmt.Sprintf("more than %d levels deep", maxDepth), "write it flatter")
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.f.report(at, path, fmt.Sprintf("tag %q", n.Tag), "leave the tag out")
	}
	r.open[n] = true
	defer delete(r.open, n)

	made, err := &node{place: at, weight: 1}, error(nil)
	switch n.Kind {
	case yaml.MappingNode:
		made.kind = mapping
		err = r.mapping(made, n, path)
	case yaml.SequenceNode:
		made.kind = list
		err = r.list(made, n, path)
	default:
		made.text, made.null = n.Value, n.ShortTag() == "!!null"
		made.quoted = n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	}
	if err == nil && made.height > maxDepth {
		err = r.stop(at, path, fmt.Sprintf("more than %d levels deep", maxDepth), "use fewer aliases within aliases")
	}
	if err == nil && made.weight > maxValues {
		err = r.stop(at, path, fmt.Sprintf("more than %d values", maxValues), "use fewer aliases within aliases")
	}
	if n.Anchor != "" {
		r.made[n] = made
	}
	return made, err
}

func (r *reader) stop(at place, path setting.Path, what, remedy string) error {
	r.f.report(at, path, what, remedy)
	return errStop
}

func (r *reader) alias(n *yaml.Node, at place, path setting.Path) (*node, error) {
	if n.Alias == nil || r.open[n.Alias] {
		return nil, r.stop(at, path, fmt.Sprintf("alias *%s stands inside its own anchor", n.Value), "write the value out")
	}
	if made := r.made[n.Alias]; made != nil {
		return made, nil
	}
	return r.convert(n.Alias, path)
}

func (r *reader) list(made *node, n *yaml.Node, path setting.Path) error {
	made.items = make([]*node, 0, len(n.Content))
	for i, item := range n.Content {
		value, err := r.convert(item, below(path, i))
		if err != nil {
			return err
		}
		made.items = append(made.items, value)
		made.holds(value)
	}
	return nil
}

// mapping reads the keys of n into made. Keys merged in by << stand behind the mapping's own and give
// way to them, as https://yaml.org/type/merge.html has it.
func (r *reader) mapping(made *node, n *yaml.Node, path setting.Path) error {
	made.fields = make([]field, 0, len(n.Content)/2)
	seen := make(map[string]place, len(n.Content)/2)
	var merged []*node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		at := place{max(n.Content[i].Line, 1), max(n.Content[i].Column, 1)}
		if key.Kind != yaml.ScalarNode {
			r.f.report(at, path, "a key that is not a single word", "write KEY: VALUE")
			continue
		}
		value, err := r.convert(n.Content[i+1], below(path, key.Value))
		if err != nil {
			return err
		}
		made.holds(value)
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		if first, twice := seen[key.Value]; twice {
			r.f.report(at, below(path, key.Value), fmt.Sprintf("written twice, first in line %d", first.line), "leave one of them out")
			continue
		}
		seen[key.Value] = at
		made.fields = append(made.fields, field{key: key.Value, at: at, value: value})
	}
	for _, from := range merged {
		r.mergeIn(made, from, seen, path)
	}
	return nil
}

func (r *reader) mergeIn(made, from *node, seen map[string]place, path setting.Path) {
	sources := []*node{from}
	if from.kind == list {
		sources = from.items
	}
	for _, source := range sources {
		if source.kind != mapping {
			r.f.report(source.place, path, "<< merges "+source.describe(), "merge an alias of a mapping, as in <<: *name")
			continue
		}
		for _, f := range source.fields {
			if _, own := seen[f.key]; !own {
				seen[f.key] = f.at
				made.fields = append(made.fields, f)
			}
		}
	}
}

// below returns a path of its own for a value inside the one at path.
func below(path setting.Path, step any) setting.Path {
	return append(path[:len(path):len(path)], step)
}
