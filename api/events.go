package api

import (
	"iter"
	"net/http"
	"strconv"
	"time"

	"yadokari/admin"
	"yadokari/history"
	"yadokari/shift"
)

// events streams changes: first "routes" with every status, then "route" with one status at each
// change. A client that was too slow gets "routes" again, and so does every client when the configuration
// was loaded anew, so that what it shows is whole. With ?batch
// it is for pages that show many routes: see batch.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	options, err := parseStream(r)
	if err != nil {
		admin.WriteError(w, err)
		return
	}
	subscribe := a.Controller.Subscribe
	if options.brief {
		subscribe = a.Controller.SubscribeBrief
	}
	changes := subscribe()
	defer changes.Close()
	stream, err := admin.Stream(w, r)
	if err != nil {
		admin.WriteError(w, err)
		return
	}
	defer stream.Close()
	number := 0
	send := func(event string, v any) bool {
		number++
		return stream.Send(strconv.Itoa(number), event, v) == nil
	}
	if options.batch > 0 {
		(&batch{api: a, options: options, send: send}).run(stream, changes)
		return
	}
	if !send("routes", admin.ListOf(a.Controller.Statuses())) {
		return
	}
	for {
		select {
		case <-stream.Done():
			return
		case e, open := <-changes.Events():
			if !open || !a.pass(e, send) {
				return
			}
		}
	}
}

func (a *API) pass(e shift.Event, send func(string, any) bool) bool {
	switch {
	case e.Lagged:
		return send("routes", admin.ListOf(a.Controller.Statuses()))
	case e.Status != nil:
		return send("route", e.Status)
	}
	return true
}

// Written is the event that says that the ledger was written, up to the entry Seq.
type Written struct {
	Seq uint64 `json:"seq"`
}

// streamOptions are the query of the events call.
type streamOptions struct {
	batch  time.Duration // 0: every change for itself
	brief  bool          // leave evidence out
	series bool          // send the recent series too
	ledger bool          // say when the ledger was written
}

const (
	leastBatch = 100 * time.Millisecond
	mostBatch  = 10 * time.Second
)

func parseStream(r *http.Request) (o streamOptions, err error) {
	q := r.URL.Query()
	if text := q.Get("batch"); text != "" {
		if o.batch, err = time.ParseDuration(text); err != nil || o.batch < leastBatch || o.batch > mostBatch {
			return o, badQuery("batch", text, "a duration from 100ms to 10s")
		}
	}
	for name, into := range map[string]*bool{"brief": &o.brief, "series": &o.series, "ledger": &o.ledger} {
		text := q.Get(name)
		if *into = text == "1"; text != "" && text != "1" {
			return o, badQuery(name, text, "1, or left out")
		}
		if *into && o.batch == 0 {
			return o, badQuery(name, text, "to be had without batch")
		}
	}
	return o, nil
}

// batch gathers changes. What changes where a route's users are, its verdict or its problem is sent at
// once, with everything gathered until then; other news (numbers) once in a while.
type batch struct {
	api     *API
	options streamOptions
	send    func(event string, v any) bool

	gathered map[string]*shift.Status
	known    map[string]headline
	until    int64 // of the recent series that were sent
}

// headline is what is sent at once when it changes.
type headline struct {
	state                   shift.State
	stage, verdict, problem string
}

func headlineOf(s *shift.Status) headline { return headline{s.State, s.Stage, s.Verdict, s.Problem} }

func (b *batch) run(stream *admin.EventStream, changes *shift.Subscription) {
	if !b.all() || !b.recent(time.Now()) {
		return
	}
	tick := time.NewTicker(b.options.batch)
	defer tick.Stop()
	for {
		var good bool
		select {
		case <-stream.Done():
			return
		case now := <-tick.C:
			good = b.flush() && b.recent(now)
		case e, open := <-changes.Events():
			if !open {
				return
			}
			good = b.take(e)
		}
		if !good {
			return
		}
	}
}

// all sends every status.
func (b *batch) all() bool {
	b.gathered, b.known = map[string]*shift.Status{}, map[string]headline{}
	return b.send("routes", admin.ListOf(b.heard()))
}

// heard yields every status, and notes the headline of each.
func (b *batch) heard() iter.Seq[shift.Status] {
	return func(yield func(shift.Status) bool) {
		for s := range b.api.Controller.Statuses() {
			b.known[s.Route] = headlineOf(&s)
			b.shorten(&s)
			if !yield(s) {
				return
			}
		}
	}
}

func (b *batch) shorten(s *shift.Status) {
	if b.options.brief {
		s.Evidence = nil
	}
}

func (b *batch) take(e shift.Event) bool {
	switch {
	case e.Lagged:
		return b.all()
	case e.Status == nil:
		return !b.options.ledger || b.send("ledger", Written{Seq: e.Ledger})
	}
	status := *e.Status // it is every subscriber's
	b.shorten(&status)
	b.gathered[status.Route] = &status
	if h := headlineOf(&status); h != b.known[status.Route] {
		b.known[status.Route] = h
		return b.flush()
	}
	return true
}

func (b *batch) flush() bool {
	if len(b.gathered) == 0 {
		return true
	}
	list := make([]*shift.Status, 0, len(b.gathered))
	for _, s := range b.gathered {
		list = append(list, s)
	}
	clear(b.gathered)
	return b.send("changes", list)
}

// recent sends the steps of the recent series that are over and were not sent.
func (b *batch) recent(now time.Time) bool {
	if !b.options.series || now.Unix() < b.until+history.RecentStep {
		return true
	}
	news := b.api.recentSince(time.Unix(b.until, 0), now)
	b.until = news.Until
	return b.send("series", news)
}
