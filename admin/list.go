package admin

import (
	"bufio"
	"encoding/json"
	"io"
	"iter"
)

// List is a JSON array that is written while it is made, one element after the other: all statuses of
// ten thousand routes at once would be a quarter of what a gateway holds.
type List iter.Seq[any]

// ListOf makes a List of what elements yields.
func ListOf[T any](elements iter.Seq[T]) List {
	return func(yield func(any) bool) {
		for e := range elements {
			if !yield(e) {
				return
			}
		}
	}
}

const listBuffer = 32 << 10

// write writes the array without a line break.
func (l List) write(to io.Writer) error {
	w := bufio.NewWriterSize(to, listBuffer)
	before := byte('[')
	for e := range l {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_ = w.WriteByte(before) // an error stays, and Write tells it
		if _, err := w.Write(text); err != nil {
			return err
		}
		before = ','
	}
	if before == '[' {
		_ = w.WriteByte('[')
	}
	_ = w.WriteByte(']')
	return w.Flush()
}
