package browser

import (
	"context"
	"math/rand/v2"
	"time"
)

// Person is somebody who uses a site until the context ends.
type Person struct {
	// Kind is what sort of user it is, for the log.
	Kind string
	// Visit is one visit. A person comes again and again, with the same browser.
	Visit func(context.Context, *Browser)
}

// pause is how long people look at a page, on average. They are in a hurry, or the trial would take a day.
const pause = 5000 * time.Millisecond

// Look is the time in which a person looks at what came.
func Look(ctx context.Context) {
	d := time.Duration(min(rand.ExpFloat64(), 4) * float64(pause))
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Live lets the person visit the site until the context ends.
func (p Person) Live(ctx context.Context, b *Browser) {
	defer b.Close()
	for Look(ctx); ctx.Err() == nil; Look(ctx) {
		p.Visit(ctx, b)
		b.Return()
	}
}

// Sometimes reports whether something happens that does so once in n times.
func Sometimes(n int) bool { return rand.IntN(n) == 0 }

// Any is one of several.
func Any[T any](of ...T) T { return of[rand.IntN(len(of))] }
