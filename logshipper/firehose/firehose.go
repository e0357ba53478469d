// Package firehose sends records to an Amazon Data Firehose stream: as large and as few as the service
// takes, and each again until it was taken.
package firehose

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	service "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"yadokari/logshipper/cloud"
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

// Sender sends to one stream. It is for one goroutine.
type Sender struct {
	client *service.Client
	stream string
}

// New returns a sender. A transport of nil is the SDK's own. It fails when no region is known.
func New(ctx context.Context, c Config, transport http.RoundTripper) (*Sender, error) {
	loaded, err := c.Load(ctx, transport)
	if err != nil {
		return nil, fmt.Errorf("firehose %s: %w", c.Stream, err)
	}
	return &Sender{client: service.NewFromConfig(loaded), stream: c.Stream}, nil
}

// callsAtOnce is how many calls are under way at a time: while one is answered, the next is encoded.
const callsAtOnce = 2

// Send offers every record once, in as few calls as the limits allow, and returns those that were not
// taken for certain, in their order, with an error. After a call that fails no other is begun: the service
// says the same for the next. Records are at most MostRecord bytes. The result uses records' array.
func (s *Sender) Send(ctx context.Context, records [][]byte) (left [][]byte, err error) {
	left = records[:0]
	for len(records) > 0 {
		var group [callsAtOnce]*call
		var calls sync.WaitGroup
		for i := range group {
			if n := fits(records); n > 0 {
				c := &call{records: records[:n]}
				group[i], records = c, records[n:]
				calls.Go(func() { s.put(ctx, c) })
			}
		}
		calls.Wait()
		over := false
		for _, c := range group {
			if c == nil {
				continue
			}
			left = c.appendLeft(left)
			over = over || c.failed == nil && c.err != nil
			if c.err != nil {
				err = c.err
			}
		}
		if over {
			return append(left, records...), err
		}
	}
	return left, err
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

// call is one request and what came of it.
type call struct {
	records [][]byte
	failed  []bool // which were not taken; nil: all were taken or, with an error, none for certain
	err     error
}

func (c *call) appendLeft(left [][]byte) [][]byte {
	if c.failed == nil && c.err != nil {
		return append(left, c.records...)
	}
	for i, failed := range c.failed {
		if failed {
			left = append(left, c.records[i])
		}
	}
	return left
}

// put sends one request.
func (s *Sender) put(ctx context.Context, c *call) {
	in := make([]types.Record, len(c.records))
	for i, record := range c.records {
		in[i].Data = record
	}
	answer, err := s.client.PutRecordBatch(ctx, &service.PutRecordBatchInput{DeliveryStreamName: &s.stream, Records: in})
	switch {
	case err != nil:
		c.err = fmt.Errorf("firehose %s: %w", s.stream, err)
		return
	case aws.ToInt32(answer.FailedPutCount) == 0:
		return
	case len(answer.RequestResponses) != len(in):
		c.err = fmt.Errorf("firehose %s: %d records were sent, and %d answered", s.stream, len(in), len(answer.RequestResponses))
		return
	}
	n := 0
	c.failed = make([]bool, len(in))
	for i, r := range answer.RequestResponses {
		if code := aws.ToString(r.ErrorCode); code != "" {
			c.failed[i] = true
			n++
			c.err = fmt.Errorf("firehose %s: %d of %d records not taken: %s: %s", s.stream, n, len(in), code, aws.ToString(r.ErrorMessage))
		}
	}
	if n == 0 { // it does not say which
		c.failed, c.err = nil, fmt.Errorf("firehose %s: %d records not taken, and none is named", s.stream, aws.ToInt32(answer.FailedPutCount))
	}
}
