package mailrelay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"yadokari/cloud/bucket"
	"yadokari/mailrelay/spool"
)

// A bucket is reached over a network, so that some of a stop's time is kept for it: a quarter, and no more
// than this.
const mostForBucket = 10 * time.Second

// leastForBucket is what the bucket has at least, when that time is over or was cut off; half of either when there
// is a directory, which must have its turn even if the bucket does not answer.
const leastForBucket = 2 * time.Second

// parcelSize is how many bytes of mail go into one object, unless one mail is larger: few requests, and little
// memory beside the queue. parcelsAtOnce bounds both.
const (
	parcelSize    = 4 << 20
	parcelsAtOnce = 2
	roomForHead   = 64 // of a mail in an object, beside its text and envelope
)

// leftoverBucket is where mail goes that is left over, when there is one.
type leftoverBucket struct {
	*bucket.Writer
	config bucket.Config
}

func openBucket(c *bucket.Config) (*leftoverBucket, error) {
	if c == nil {
		return nil, nil
	}
	w, err := bucket.New(context.Background(), *c, nil)
	if err != nil {
		return nil, fmt.Errorf("leftover: %w", err)
	}
	return &leftoverBucket{w, *c}, nil
}

// untilLeaving is ctx without the time that leaving things safe needs.
func (r *Relay) untilLeaving(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if r.bucket == nil || !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(mostForBucket, max(0, time.Until(deadline))/4)))
}

// bucketTime is how long all of what is left over may take on its way to the bucket.
func (r *Relay) bucketTime(stop context.Context) time.Duration {
	left := mostForBucket
	if deadline, ok := stop.Deadline(); ok {
		left = time.Until(deadline)
	}
	if stop.Err() != nil {
		left = 0 // it was hurried: the time that was planned is not there
	}
	left = max(left, leastForBucket)
	if r.config.Leftover.Dir != "" {
		left /= 2
	}
	return left
}

// toBucket writes mails to objects that, as files of one directory, are a spool. An object is there whole
// or not at all, and so are the mails in it.
func (r *Relay) toBucket(ctx context.Context, run string, rest []*item) (where string, refused map[*item]error) {
	key := r.bucket.config.Prefix + run + "/"
	refused = map[*item]error{}
	var mu sync.Mutex
	each(parcels(rest), parcelsAtOnce, func(p parcel) {
		not := r.send(ctx, key, p)
		mu.Lock()
		defer mu.Unlock()
		for it, err := range not {
			refused[it] = err
		}
	})
	return bucketScheme + r.bucket.config.Bucket + "/" + key, refused
}

// parcel is what goes into one object.
type parcel struct {
	number uint64
	size   int64
	items  []*item
}

func parcels(items []*item) (list []parcel) {
	for _, it := range items {
		if n := len(list); n == 0 || list[n-1].size+it.size > parcelSize {
			list = append(list, parcel{number: uint64(n + 1)})
		}
		last := &list[len(list)-1]
		last.size += it.size
		last.items = append(last.items, it)
	}
	return list
}

// send writes one object and returns the mails that are not in it.
func (r *Relay) send(ctx context.Context, key string, p parcel) (refused map[*item]error) {
	if err := ctx.Err(); err != nil {
		return refuseAll(p.items, fmt.Errorf("the time for the bucket is over: %w", err))
	}
	image := spool.NewImage(p.size + int64(len(p.items))*roomForHead)
	refused = map[*item]error{}
	for _, it := range p.items {
		e, text, err := r.unsettled(it)
		if err == nil {
			err = image.Add(it.id, e, text)
		}
		if err != nil {
			refused[it] = err
		}
	}
	if len(refused) == len(p.items) {
		return refused
	}
	ctx, cancel := context.WithTimeout(ctx, r.bucket.config.Timeout)
	defer cancel()
	if err := r.bucket.PutPlain(ctx, key+spool.ImageName(p.number), image.Bytes()); err != nil {
		return refuseAll(p.items, err)
	}
	return refused
}
