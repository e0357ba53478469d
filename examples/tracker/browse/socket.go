package browse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"yadokari/examples/tracker"
)

const (
	pingEvery    = 5 * time.Second
	comeBackWait = 200 * time.Millisecond
)

// listen keeps a WebSocket open until ctx ends, and comes back when it is closed, as the page's script does.
func (u *user) listen(ctx context.Context) {
	select {
	case <-u.session:
	case <-ctx.Done():
		return
	}
	target, err := url.Parse(u.load.config.URL)
	if err != nil {
		return // checked at the start
	}
	for ctx.Err() == nil {
		u.listenOnce(ctx, target)
		pause(ctx, comeBackWait)
	}
}

func (u *user) listenOnce(ctx context.Context, target *url.URL) {
	begun := time.Now()
	dial, cancel := context.WithTimeout(ctx, u.load.config.Timeout)
	defer cancel()
	header := http.Header{"Cookie": {u.sessionCookie(target)}}
	conn, response, err := websocket.Dial(dial, "ws"+strings.TrimPrefix(target.String(), "http")+"/notify",
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: u.load.config.Transport}, HTTPHeader: header})
	if ctx.Err() != nil {
		if err == nil {
			_ = conn.CloseNow()
		}
		return
	}
	o := outcome{activity: Socket, took: time.Since(begun)}
	if response != nil {
		o.build, o.answered = response.Header.Get(tracker.HeaderBuild), true
	}
	if err != nil {
		kind := Transport
		if response != nil {
			kind = Status
		}
		o.failure = u.socketFailure(kind, o.build, err)
		u.load.record.add(o)
		return
	}
	defer conn.CloseNow()
	if err := u.greeted(dial, conn); err != nil && ctx.Err() == nil {
		o.failure = u.socketFailure(Session, o.build, err)
	}
	u.load.record.add(o)
	u.load.record.socket(func(c *SocketCounts) { c.Opened++ })
	u.follow(ctx, conn)
}

func (u *user) socketFailure(kind FailureKind, build string, err error) *Failure {
	return &Failure{time.Now(), Socket, u.name, "GET /notify", kind, build, err.Error()}
}

// greeted reads the first message, which says whose socket it is.
func (u *user) greeted(ctx context.Context, conn *websocket.Conn) error {
	_, text, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	var first struct{ Kind, User string }
	if err := json.Unmarshal(text, &first); err != nil {
		return err
	}
	if first.Kind != "hello" || first.User != u.name {
		return fmt.Errorf("the socket of user %q", first.User)
	}
	return nil
}

// follow counts events until either side ends the socket.
func (u *user) follow(ctx context.Context, conn *websocket.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go u.ping(ctx, conn)
	for {
		_, text, err := conn.Read(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			u.load.record.socket(func(c *SocketCounts) {
				var closed websocket.CloseError
				if errors.As(err, &closed) {
					c.Ended++
				} else {
					c.Dropped++
				}
			})
			return
		}
		var event tracker.Event
		if json.Unmarshal(text, &event) == nil && event.ID > 0 {
			u.load.record.socket(func(c *SocketCounts) { c.Events++ })
		}
	}
}

// ping keeps the socket in use, so that a dead one is noticed by the one who reads.
func (u *user) ping(ctx context.Context, conn *websocket.Conn) {
	for pause(ctx, pingEvery) {
		if conn.Write(ctx, websocket.MessageText, []byte("ping")) != nil {
			return
		}
	}
}
