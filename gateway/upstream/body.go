package upstream

import (
	"errors"
	"io"
	"strconv"
	"sync"
	"time"
)

const bodyBuffer = 32 << 10

// chunkRoom is kept free before and after the data of a chunk for its size line and end.
const chunkRoom = 16

// copyBody sends the request body, in chunks when its length is not known.
func (s *sender) copyBody(idle time.Duration) error {
	r := s.request
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	if r.Length > 0 {
		return s.copyLength(*buffer, idle)
	}
	for {
		s.awaitClient()
		n, err := r.Body.Read((*buffer)[chunkRoom : len(*buffer)-chunkRoom])
		s.conn.await(idle)
		if n > 0 {
			if _, err := s.conn.Write(frameChunk(*buffer, n)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			_, err := s.conn.Write(r.lastChunk())
			return err
		}
		if err != nil {
			return &bodyError{err}
		}
	}
}

// copyLength sends a body of known length.
func (s *sender) copyLength(buffer []byte, idle time.Duration) error {
	left := s.request.Length
	for left > 0 {
		s.awaitClient()
		n, err := s.request.Body.Read(buffer[:min(int64(len(buffer)), left)])
		s.conn.await(idle)
		if n > 0 {
			if _, err := s.conn.Write(buffer[:n]); err != nil {
				return err
			}
			left -= int64(n)
		}
		if left > 0 && errors.Is(err, io.EOF) {
			return &bodyError{io.ErrUnexpectedEOF}
		}
		if left > 0 && err != nil {
			return &bodyError{err}
		}
	}
	return nil
}

// frameChunk puts a chunk's size line and end around n bytes of data that begin at chunkRoom.
func frameChunk(buffer []byte, n int) []byte {
	var size [chunkRoom]byte
	line := append(strconv.AppendInt(size[:0], int64(n), 16), '\r', '\n')
	start := chunkRoom - len(line)
	copy(buffer[start:], line)
	return append(buffer[start:chunkRoom+n:len(buffer)], '\r', '\n')
}

// lastChunk ends a body with its trailers. A client may send more of them than it announced: what
// would not be passed on as a header is not as a trailer either, since some servers merge the two.
func (r *Request) lastChunk() []byte {
	end := []byte("0\r\n")
	for name, values := range r.Trailer {
		if hopByHop(name) || (r.Skip != nil && r.Skip(name)) {
			continue
		}
		for _, v := range values {
			end = append(append(append(append(end, name...), ": "...), v...), "\r\n"...)
		}
	}
	return append(end, "\r\n"...)
}

// buffers keeps the buffers of request bodies between requests.
var buffers = sync.Pool{New: func() any { b := make([]byte, bodyBuffer); return &b }}
