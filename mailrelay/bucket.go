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

// toBucket writes mails to objects that, as files of one directory, are a spool. An object is there whole
// or not at all, and so are the mails in it.
func (r *Relay) toBucket(stop string, rest []*item) (where string, refused map[*item]error) {
	key := r.bucket.config.Prefix + stop + "/"
	refused = map[*item]error{}
	var mu sync.Mutex
	each(parcels(rest), parcelsAtOnce, func(p parcel) {
		not := r.send(key, p)
		mu.Lock()
		defer mu.Unlock()
		for it, err := range not {
			refused[it] = err
		}
	})
	return "s3://" + r.bucket.config.Bucket + "/" + key, refused
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
func (r *Relay) send(key string, p parcel) (refused map[*item]error) {
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
	ctx, cancel := context.WithTimeout(context.Background(), r.bucket.config.Timeout) // the stop's own time is over
	defer cancel()
	if err := r.bucket.PutPlain(ctx, key+spool.ImageName(p.number), image.Bytes()); err != nil {
		return refuseAll(p.items, err)
	}
	return refused
}
