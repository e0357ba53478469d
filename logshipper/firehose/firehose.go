// Package firehose sends records to an Amazon Data Firehose stream: as large and as few as the service
// takes, and each again until it was taken.
package firehose

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	service "github.com/aws/aws-sdk-go-v2/service/firehose"

	"yadokari/cloud"
	"yadokari/setting"
)

// Limits of the service
// (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html). The documentation
// leaves open whether the limit of a call is meant before or after base64: after is the safe reading.
const (
	MostRecord  = 1000 << 10 // bytes of a record, before base64
	MostRecords = 500        // records of a call
	MostCall    = 4 << 20    // bytes of a call
)

const (
	envelope    = 1 << 10 // bytes of a call around its records
	recordExtra = 16      // bytes around a record: {"Data":""},
)

// Config is a Firehose stream.
type Config struct {
	// Stream is the name of the delivery stream; it takes records by Direct PUT.
	Stream string `yaml:"stream" required:"true"`
	// Access is how the service is reached.
	cloud.Access `yaml:",inline"`
}

// Validate says what is wrong with the settings, as *setting.Problem, joined.
func (c *Config) Validate() error {
	var problems []error
	if c.Stream == "" {
		problems = append(problems, &setting.Problem{Path: setting.Path{"stream"}, What: "is empty", Remedy: "name the delivery stream"})
	}
	return errors.Join(append(problems, c.Access.Validate())...)
}

// callsAtOnce is how many calls are under way at a time: while one is answered, the next is encoded.
const callsAtOnce = 2

// Sender sends to one stream. It is for one goroutine.
type Sender struct {
	calls [callsAtOnce]call
}

// New returns a sender. A transport of nil is the SDK's own. It fails when no region is known.
func New(ctx context.Context, c Config, transport http.RoundTripper) (*Sender, error) {
	loaded, err := c.Load(ctx, transport)
	if err != nil {
		return nil, fmt.Errorf("firehose %s: %w", c.Stream, err)
	}
	s := &Sender{}
	for i := range s.calls {
		s.calls[i].stream = c.Stream
		s.calls[i].client = service.NewFromConfig(loaded, s.calls[i].text.use)
	}
	return s, nil
}

// Send offers every record once, in as few calls as the limits allow, and returns those that were not
// taken for certain, in their order, with the last error. After a call that fails no other is begun: the
// service says the same for the next. Records are at most MostRecord bytes. The result uses records' array.
func (s *Sender) Send(ctx context.Context, records [][]byte) (left [][]byte, err error) {
	left = records[:0]
	for over := false; len(records) > 0 && !over; {
		var begun []*call
		var all sync.WaitGroup
		for i := range s.calls {
			if n := fits(records); n > 0 {
				c := &s.calls[i]
				c.records, records = records[:n], records[n:]
				begun = append(begun, c)
				all.Go(func() { c.put(ctx) })
			}
		}
		all.Wait()
		for _, c := range begun {
			left = c.appendLeft(left)
			if c.err != nil {
				err = c.err
			}
			over = over || c.err != nil && c.failed == nil
		}
	}
	return append(left, records...), err
}

// fits is how many of the records go into one call; at least one, if there is one.
func fits(records [][]byte) int {
	bytes := envelope
	for i, record := range records {
		bytes += (len(record)+2)/3*4 + recordExtra
		if i > 0 && bytes > MostCall || i == MostRecords {
			return i
		}
	}
	return len(records)
}
