package logshipper

import "fmt"

// Amount is a number of lines (entries, with Config.Start) and of bytes as they are in the files.
type Amount struct {
	Lines int64 `json:"lines"`
	Bytes int64 `json:"bytes"`
}

func (a *Amount) add(lines, bytes int64) {
	a.Lines += lines
	a.Bytes += bytes
}

// Counts says what came of the files since the shipper was started. Check tells whether the sums add up.
type Counts struct {
	// Found is how many bytes the files held that were not acknowledged before: Delivered, Unreadable,
	// Waiting and LeftOver add up to it.
	Found int64 `json:"found"`
	// Read is what was taken from the files, a line that is read again after a stop counted once: what
	// is Delivered, and what of it is not.
	Read Amount `json:"read"`
	// Delivered is what the output has for certain.
	Delivered Amount `json:"delivered"`
	// Waiting is how many bytes are in the files and not acknowledged.
	Waiting int64 `json:"waiting"`
	// ToLeave is how many bytes of Waiting have a Leftover.Dir to go to, and have not got there: the files
	// do not keep them.
	ToLeave int64 `json:"toLeave"`
	// LeftOver is how many bytes were moved to Leftover.Dir at the stop.
	LeftOver int64 `json:"leftOver"`
	// Unreadable is how many bytes were seen in files but truncated or removed before they were
	// delivered, in Truncated files.
	Unreadable int64 `json:"unreadable"`
	Truncated  int64 `json:"truncated"`
	// Split is how many lines were longer than Config.Line.
	Split int64 `json:"split"`
	// Batches is how many deliveries were made, Retries how many attempts failed. A retry can mean that
	// lines arrive twice.
	Batches int64 `json:"batches"`
	Retries int64 `json:"retries"`
}

// Check returns an error if the sums do not add up.
func (c Counts) Check() error {
	if sum := c.Delivered.Bytes + c.Unreadable + c.Waiting + c.LeftOver; c.Found != sum {
		return fmt.Errorf("%d bytes were found, but %d are delivered, %d unreadable, %d waiting and %d left over",
			c.Found, c.Delivered.Bytes, c.Unreadable, c.Waiting, c.LeftOver)
	}
	if c.Read.Lines < c.Delivered.Lines || c.Read.Bytes < c.Delivered.Bytes {
		return fmt.Errorf("%d lines were read, but %d delivered", c.Read.Lines, c.Delivered.Lines)
	}
	return nil
}

// Add adds another pipe's counts.
func (c *Counts) Add(o Counts) {
	c.Found += o.Found
	c.Read.add(o.Read.Lines, o.Read.Bytes)
	c.Delivered.add(o.Delivered.Lines, o.Delivered.Bytes)
	c.Waiting += o.Waiting
	c.ToLeave += o.ToLeave
	c.LeftOver += o.LeftOver
	c.Unreadable += o.Unreadable
	c.Truncated += o.Truncated
	c.Split += o.Split
	c.Batches += o.Batches
	c.Retries += o.Retries
}
