package firehose

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	service "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// call is one request at a time, and what came of it.
type call struct {
	client  *service.Client
	stream  string
	text    text
	records [][]byte
	failed  []bool // which were not taken; nil: all were taken or, with an error, none for certain
	err     error
}

// put sends the records.
func (c *call) put(ctx context.Context) {
	in := make([]types.Record, len(c.records))
	for i, record := range c.records {
		in[i].Data = record
	}
	answer, err := c.client.PutRecordBatch(ctx, &service.PutRecordBatchInput{DeliveryStreamName: &c.stream, Records: in})
	if err != nil {
		c.text.abandon()
		c.failed, c.err = nil, fmt.Errorf("firehose %s: %w", c.stream, err)
		return
	}
	c.failed, c.err = c.judge(answer)
}

// judge finds out which records were not taken.
func (c *call) judge(answer *service.PutRecordBatchOutput) (failed []bool, err error) {
	if len(answer.RequestResponses) != len(c.records) { // not the service: something between here and there says 200
		return nil, fmt.Errorf("firehose %s: %d records were sent, and %d answered", c.stream, len(c.records), len(answer.RequestResponses))
	}
	failed, n := make([]bool, len(c.records)), 0
	for i, r := range answer.RequestResponses {
		if code := aws.ToString(r.ErrorCode); code != "" {
			failed[i] = true
			n++
			err = fmt.Errorf("firehose %s: %d of %d records not taken: %s: %s", c.stream, n, len(c.records), code, aws.ToString(r.ErrorMessage))
		}
	}
	if n > 0 {
		return failed, err
	}
	if missing := aws.ToInt32(answer.FailedPutCount); missing > 0 {
		return nil, fmt.Errorf("firehose %s: %d records not taken, and none is named", c.stream, missing)
	}
	return nil, nil
}

// appendLeft appends the records that were not taken for certain, and lets go of all.
func (c *call) appendLeft(left [][]byte) [][]byte {
	for i, record := range c.records {
		if c.failed == nil && c.err != nil || c.failed != nil && c.failed[i] {
			left = append(left, record)
		}
	}
	c.records = nil
	return left
}
