package firehose

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	service "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// text is the JSON of a call, in a buffer that the next call uses again. The SDK's own serializer lets a new
// one grow for each call, and moves megabytes several times: that costs as much as the base64 itself.
type text struct{ buffer []byte }

// use makes a client write its calls into the buffer.
func (t *text) use(o *service.Options) { o.Protocol = protocol{o.Protocol, t} }

// abandon leaves the buffer to whoever still reads it: after a call that failed, the transport may.
func (t *text) abandon() { t.buffer = nil }

func (t *text) write(in *service.PutRecordBatchInput) error {
	stream, err := json.Marshal(in.DeliveryStreamName)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if t.buffer == nil {
		t.buffer = make([]byte, 0, MostCall)
	}
	b := append(append(t.buffer[:0], `{"DeliveryStreamName":`...), stream...)
	b = append(b, `,"Records":[`...)
	for i, record := range in.Records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"Data":"`...)
		b = base64.StdEncoding.AppendEncode(b, record.Data)
		b = append(b, `"}`...)
	}
	b = append(b, `]}`...)
	t.buffer = b
	return nil
}

// protocol is the SDK's, but for the text of requests.
type protocol struct {
	smithyhttp.ClientProtocol
	text *text
}

// SerializeRequest implements smithyhttp.ClientProtocol.
func (p protocol) SerializeRequest(ctx context.Context, schema *smithy.OperationSchema, in smithy.Serializable, r *smithyhttp.Request) error {
	batch, ok := in.(*service.PutRecordBatchInput)
	if !ok {
		return p.ClientProtocol.SerializeRequest(ctx, schema, in, r)
	}
	empty := &service.PutRecordBatchInput{DeliveryStreamName: batch.DeliveryStreamName}
	if err := p.ClientProtocol.SerializeRequest(ctx, schema, empty, r); err != nil { // for all but the text
		return err
	}
	if err := p.text.write(batch); err != nil {
		return err
	}
	with, err := r.SetStream(bytes.NewReader(p.text.buffer))
	if err != nil {
		return err
	}
	*r = *with
	return nil
}
