package mailrelay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"yadokari/durable"
	"yadokari/mailrelay/spool"
	"yadokari/mailrelay/wire"
)

// leave puts what is left where it is safe, and tells where.
func (r *Relay) leave(stop context.Context) (where string, err error) {
	rest := r.queue.takeAll()
	if r.spool != nil && (!r.config.Leftover.Spool || len(rest) == 0) {
		for _, it := range rest {
			r.queue.finish(it, leftOver)
			where = r.config.Spool
		}
		return where, r.spool.Close()
	}
	if len(rest) > 0 {
		where, err = r.moveOut(stop, rest)
	}
	if r.spool != nil {
		err = errors.Join(err, r.spool.Close())
	}
	return where, err
}

// refuge takes mails that are left over, for ever. It returns its name, and those it did not take with the
// reason why.
type refuge func(run string, rest []*item) (where string, refused map[*item]error)

// moveOut takes mails to where they outlive us: to the bucket, and what that does not take to Leftover.Dir.
// What neither has taken stays in the spool or, without one, is lost.
func (r *Relay) moveOut(stop context.Context, rest []*item) (where string, err error) {
	var refuges []refuge
	if r.bucket != nil {
		ctx, cancel := context.WithTimeout(context.Background(), r.bucketTime(stop))
		defer cancel()
		refuges = append(refuges, func(run string, rest []*item) (string, map[*item]error) { return r.toBucket(ctx, run, rest) })
	}
	if r.config.Leftover.Dir != "" {
		refuges = append(refuges, r.toDir)
	}
	if len(refuges) == 0 {
		err = errors.New("there is neither leftover.dir nor leftover.s3")
	}
	run := r.hostname + "-" + name(r.nextID())
	var places []string
	for _, take := range refuges {
		place, refused := take(run, rest)
		if len(refused) < len(rest) {
			places = append(places, place)
		}
		if rest = r.forget(rest, refused); len(rest) == 0 {
			break
		}
		err = errors.Join(err, fmt.Errorf("%s did not take %d mails: %w", place, len(rest), refused[rest[0]]))
	}
	if len(rest) > 0 && r.spool != nil {
		places = append(places, r.config.Spool)
	}
	for _, it := range rest {
		if r.spool != nil {
			r.queue.finish(it, leftOver)
		} else {
			r.drop(it, "the relay stops and has nowhere to leave it")
		}
	}
	where = strings.Join(places, " and ")
	switch {
	case len(rest) > 0 && r.spool == nil:
		return where, fmt.Errorf("mail: %d mails were lost: %w", len(rest), err)
	case err != nil:
		return where, fmt.Errorf("mail: leftover: %w", err)
	}
	return where, nil
}

// forget lets go of the mails that were taken and returns those that were refused.
func (r *Relay) forget(rest []*item, refused map[*item]error) (still []*item) {
	for _, it := range rest {
		if refused[it] != nil {
			still = append(still, it)
		} else {
			r.discard(it, leftOver)
		}
	}
	return still
}

// refuseAll is what a refuge returns that takes nothing.
func refuseAll(items []*item, err error) map[*item]error {
	refused := map[*item]error{}
	for _, it := range items {
		refused[it] = err
	}
	return refused
}

// toDir writes mails to a new directory below Leftover.Dir.
func (r *Relay) toDir(run string, rest []*item) (where string, refused map[*item]error) {
	where = filepath.Join(r.config.Leftover.Dir, run)
	out, err := openLeftover(r.config.Leftover.Dir, where)
	if err != nil {
		return where, refuseAll(rest, err)
	}
	var mu sync.Mutex
	refused = map[*item]error{}
	for _, p := range parcels(rest) { // each is in memory
		each(p.items, 64, func(it *item) { // many, so that they share fsyncs
			if err := r.copyTo(out, it); err != nil {
				mu.Lock()
				defer mu.Unlock()
				refused[it] = err
			}
		})
	}
	if err := out.Close(); err != nil {
		r.log.Error("mail leftover", "dir", where, "error", err.Error()) // every mail was fsynced before
	}
	return where, refused
}

func openLeftover(dir, where string) (*spool.Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	out, _, err := spool.Open(where, spool.Options{})
	if err != nil {
		return nil, err
	}
	return out, durable.SyncDir(dir)
}

// each calls f for every one of list, so many at once.
func each[T any](list []T, atOnce int, f func(T)) {
	next := make(chan T)
	var workers sync.WaitGroup
	for range min(atOnce, len(list)) {
		workers.Go(func() {
			for x := range next {
				f(x)
			}
		})
	}
	for _, x := range list {
		next <- x
	}
	close(next)
	workers.Wait()
}

// copyTo appends what is open of a mail to another spool.
func (r *Relay) copyTo(out *spool.Spool, it *item) error {
	e, text, err := r.unsettled(it)
	if err != nil {
		return err
	}
	_, err = out.Append(it.id, e, text)
	return err
}

// unsettled is a mail with those of its recipients who are still to get it.
func (r *Relay) unsettled(it *item) (*wire.Envelope, []byte, error) {
	m, err := r.load(it)
	if err != nil {
		return nil, nil, err
	}
	defer m.close()
	e := m.Envelope
	e.To = pick(e.To, openRecipients(it, len(e.To)))
	text, err := whole(m)
	return &e, text, err
}

// whole is a mail's text in memory.
func whole(m *loaded) ([]byte, error) {
	if text, ok := m.Text.(bytesText); ok {
		return text, nil
	}
	w := make(sliceWriter, 0, m.Size)
	_, err := m.Text.WriteTo(&w)
	return w, err
}

type sliceWriter []byte

func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}
