package browser

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
)

// asset is one in a browser's cache.
type asset struct {
	validator string
	stale     bool // to be asked for again, with the validator
}

// load asks for those assets of a page that are not cached, some at a time.
func (b *Browser) load(ctx context.Context, page *Page, assets []string) {
	var under sync.WaitGroup
	room := make(chan struct{}, 4)
	for _, target := range assets {
		at := page.resolve(target)
		if parsed, err := url.Parse(at); err != nil || parsed.Hostname() != b.site.Hostname() {
			b.Complain(ctx, "asset on another site")
			continue
		}
		validator, wanted := b.wants(at)
		if !wanted {
			continue
		}
		room <- struct{}{}
		under.Go(func() {
			defer func() { <-room }()
			b.asset(ctx, at, validator)
		})
	}
	under.Wait()
}

// wants reports whether an asset has to be asked for, and takes it for cached from now on.
func (b *Browser) wants(at string) (validator string, wanted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.cached[at]
	if known == nil {
		b.cached[at] = &asset{}
		return "", true
	}
	wanted, known.stale = known.stale, false
	return known.validator, wanted
}

func (b *Browser) asset(ctx context.Context, at, validator string) {
	header := http.Header{}
	if validator != "" {
		header.Set("If-None-Match", validator)
	}
	answer, err := b.Send(ctx, http.MethodGet, at, header, "")
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil:
		b.trouble(ctx, "asset", err)
	case answer.Status >= 400:
		b.Complain(ctx, "asset "+http.StatusText(answer.Status))
	case answer.Status == http.StatusOK && answer.Body == "":
		b.Complain(ctx, "asset is empty")
	default:
		if known := b.cached[at]; known != nil && answer.Header.Get("ETag") != "" {
			known.validator = answer.Header.Get("ETag")
		}
		return
	}
	delete(b.cached, at) // nobody keeps what is broken
}

// Return begins another visit: some assets have left the cache, some are asked for again, most are used as
// they are.
func (b *Browser) Return() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for at, known := range b.cached {
		switch rand.IntN(4) {
		case 0:
			delete(b.cached, at)
		case 1:
			known.stale = true
		}
	}
}
