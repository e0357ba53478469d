package logshipper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// Ship sends what earlier stops have left in dir, a Leftover.Dir or one of the directories in it, to the
// outputs it was meant for, and removes what is delivered. configs must still name those outputs for
// the same Path. What cannot be delivered until ctx ends stays, and the counts say how much.
func Ship(ctx context.Context, dir string, configs []Config, o Options) (sum Counts, err error) {
	found, err := leftoversIn(dir)
	if err != nil {
		return sum, fmt.Errorf("logs: leftover: %w", err)
	}
	where, log, m := prepare(configs, &o)
	var errs []error
	for _, one := range found {
		counts, err := shipOne(ctx, one, configs, where, m, log)
		sum.Add(counts)
		if err != nil {
			errs = append(errs, fmt.Errorf("logs: leftover %s: %w", one, err))
		}
	}
	return sum, errors.Join(errs...)
}

func leftoversIn(dir string) (all []string, err error) {
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		one := filepath.Join(dir, e.Name())
		if _, err := os.Stat(filepath.Join(one, manifestName)); err == nil {
			all = append(all, one)
		} else if !errors.Is(err, fs.ErrNotExist) && e.IsDir() {
			return nil, err
		}
	}
	return all, nil
}

func shipOne(ctx context.Context, dir string, configs []Config, where place, m *memory, log *slog.Logger) (Counts, error) {
	l, err := readLeftover(dir)
	if err != nil {
		return Counts{}, err
	}
	c, output := l.target(configs)
	if c == nil {
		return Counts{}, fmt.Errorf("no item of agent.logs has path %s and output %s any more", l.Path, l.Output)
	}
	where.Host, where.Pod, where.Cluster = l.Host, l.Pod, l.Cluster
	p, err := newPipe(c, *output, where, m, log)
	if err != nil {
		return Counts{}, err
	}
	p.store, p.fixed = filepath.Join(dir, progressName), true
	if err := p.openFixed(ctx, l); err != nil {
		return Counts{}, err
	}
	p.flushes <- ctx
	p.run(ctx)
	counts := p.count()
	if err := p.err(); err != nil || !p.isShipped(l) {
		if err == nil {
			err = fmt.Errorf("%d bytes are still there, %d cannot be read", counts.Waiting, counts.Unreadable)
		}
		return counts, err
	}
	return counts, os.RemoveAll(dir)
}

// isShipped tells whether all that was left over is acknowledged. What cannot be read now may be
// readable later: it is not to be removed.
func (p *pipe) isShipped(l *leftover) bool {
	acked := map[string]int64{}
	for _, f := range p.files.list {
		acked[f.id] = f.acked.offset
	}
	for _, e := range l.Files {
		if at, ok := acked[e.ID]; !ok || at < e.Size {
			return false
		}
	}
	return true
}

// target is the output that a leftover is meant for; nil: there is none.
func (l *leftover) target(configs []Config) (*Config, *Output) {
	for i := range configs {
		for _, output := range configs[i].To.list() {
			if configs[i].Path == l.Path && output.key() == l.Output {
				return &configs[i], &output
			}
		}
	}
	return nil, nil
}

func readLeftover(dir string) (*leftover, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	return parseLeftover(data)
}

func parseLeftover(data []byte) (*leftover, error) {
	var l leftover
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	c, err := parseCheckpoint(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	l.checkpoint = *c
	return &l, nil
}

// openFixed takes the files of a leftover, as far as an earlier try has come.
func (p *pipe) openFixed(ctx context.Context, l *leftover) error {
	if err := p.prepare(ctx); err != nil {
		return err
	}
	c, err := readCheckpoint(p.store)
	if err != nil {
		p.log.Error("log checkpoint", "error", err.Error())
	}
	p.restore(l.resumed(c, filepath.Dir(p.store)))
	for _, f := range p.files.list {
		f.rest = true
	}
	return nil
}

// resumed are the files of the leftover in dir, those that are in progress as far as they have come there. One
// that could not be read by the last try is not.
func (l *leftover) resumed(progress *checkpoint, dir string) *checkpoint {
	came := map[string]entry{}
	if progress != nil {
		for _, e := range progress.Files {
			came[e.ID] = e
		}
	}
	c := l.checkpoint
	c.Files = nil
	for _, e := range l.Files {
		if later, ok := came[e.ID]; ok {
			e = later
		}
		e.Path = filepath.Join(dir, e.ID+restSuffix)
		c.Files = append(c.Files, e)
	}
	return &c
}
