// Package firehose sends records to an Amazon Data Firehose stream: as large and as few as the service
// takes, and each again until it was taken.
package firehose

import (
	"context"
	"errors"
	"fmt"
	"net/http"

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
	client  *service.Client
	stream  string
	records []types.Record
}

// New returns a sender. A transport of nil is the SDK's own. It fails when no region is known.
func New(ctx context.Context, c Config, transport http.RoundTripper) (*Sender, error) {
	loaded, err := c.Load(ctx, transport)
	if err != nil {
		return nil, fmt.Errorf("firehose %s: %w", c.Stream, err)
	}
	return &Sender{client: service.NewFromConfig(loaded), stream: c.Stream}, nil
}

// Send offers every record once, in as few calls as the limits allow, and returns those that were not
// taken for certain, in their order, with the last error. A call that fails ends it: the service says
// the same for the next. Records are at most MostRecord bytes. The result uses records' array.
func (s *Sender) Send(ctx context.Context, records [][]byte) (left [][]byte, err error) {
	left = records[:0]
	for len(records) > 0 {
		n := fits(records)
		failed, failure := s.call(ctx, records[:n])
		if failure != nil {
			err = failure
		}
		if failed == nil && failure != nil {
			return append(left, records...), err
		}
		for i, record := range records[:n] {
			if failed != nil && failed[i] {
				left = append(left, record)
			}
		}
		records = records[n:]
	}
	return left, err
}

// fits is how many of the records go into one call; at least one.
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

// call sends one request. failed tells which records were not taken; nil: all or, with an error, none for
// certain.
func (s *Sender) call(ctx context.Context, records [][]byte) (failed []bool, err error) {
	s.records = s.records[:0]
	for _, record := range records {
		s.records = append(s.records, types.Record{Data: record})
	}
	answer, err := s.client.PutRecordBatch(ctx, &service.PutRecordBatchInput{DeliveryStreamName: &s.stream, Records: s.records})
	clear(s.records) // so that the batch's memory is not held
	if err != nil {
		return nil, fmt.Errorf("firehose %s: %w", s.stream, err)
	}
	if aws.ToInt32(answer.FailedPutCount) == 0 {
		return nil, nil
	}
	if len(answer.RequestResponses) != len(records) {
		return nil, fmt.Errorf("firehose %s: %d records were sent, and %d answered", s.stream, len(records), len(answer.RequestResponses))
	}
	failed, n := make([]bool, len(records)), 0
	for i, r := range answer.RequestResponses {
		if code := aws.ToString(r.ErrorCode); code != "" {
			failed[i] = true
			n++
			err = fmt.Errorf("firehose %s: %d of %d records not taken: %s: %s", s.stream, n, len(records), code, aws.ToString(r.ErrorMessage))
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("firehose %s: %d records not taken, and none is named", s.stream, aws.ToInt32(answer.FailedPutCount))
	}
	return failed, err
}
