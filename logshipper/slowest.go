package logshipper

import (
	"cmp"
	"slices"
	"time"
)

// File says how far one file is shipped to all of its outputs: as far as the slowest of them. It may be removed when
// Backlog is 0.
type File struct {
	Path         string    `json:"path"`
	Size         int64     `json:"size"`
	Acknowledged int64     `json:"acknowledged"` // by every output
	Backlog      int64     `json:"backlog"`      // of the slowest
	Oldest       time.Time `json:"oldest,omitzero"`
	// Outputs are the file's, the slowest first.
	Outputs []FileStatus `json:"outputs"`
}

// ByFile puts together what belongs to one file, also when it has several paths or several items of agent.logs lead to
// it. The files are in the order of all.
func ByFile(all []FileStatus) (files []File) {
	type key struct {
		inode
		path string // where there is no inode
		gone bool   // another file may have the inode by now
		nth  int    // of its output with the rest of the key
	}
	type place struct {
		key
		output string
	}
	places, seen := map[key]int{}, map[place]int{}
	for _, one := range all {
		k := key{inode: one.node, gone: one.gone}
		if one.node == (inode{}) || one.gone {
			k.path = one.Path
		}
		at := place{k, one.Output}
		k.nth = seen[at]
		seen[at]++
		i, known := places[k]
		if !known {
			i = len(files)
			places[k] = i
			files = append(files, File{})
		}
		files[i].Outputs = append(files[i].Outputs, one)
	}
	for i := range files {
		files[i].sum()
	}
	return files
}

// sum makes the file's own figures from those of its outputs.
func (f *File) sum() {
	slices.SortStableFunc(f.Outputs, func(a, b FileStatus) int { return cmp.Compare(b.Backlog, a.Backlog) })
	slowest := f.Outputs[0]
	f.Path, f.Acknowledged, f.Backlog = slowest.Path, slowest.Acknowledged, slowest.Backlog
	for _, one := range f.Outputs {
		f.Size, f.Acknowledged = max(f.Size, one.Size), min(f.Acknowledged, one.Acknowledged)
		if f.Oldest.IsZero() || !one.Oldest.IsZero() && one.Oldest.Before(f.Oldest) {
			f.Oldest = one.Oldest
		}
	}
}
