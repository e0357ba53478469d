package mailrelay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"yadokari/mailrelay/spool"
	"yadokari/setting"
)

// Validate returns everything that is wrong with the settings: *setting.Problem values, joined.
func (c *Config) Validate() error {
	v := &validation{}
	c.validateListen(v)
	v.under(c.Upstream.Validate(), "upstream")
	c.validateQueue(v)
	c.validateLimits(v)
	if c.Leftover.Spool && (c.Spool == "" || c.Leftover.Dir == "" && c.Leftover.S3 == nil) {
		v.wrong("there is no spool to move, or nowhere to move it", "set spool and leftover.dir or leftover.s3, or leave this out", "leftover", "spool")
	}
	if c.Leftover.S3 != nil {
		v.under(c.Leftover.S3.Validate(), "leftover", "s3")
	}
	return errors.Join(v.problems...)
}

func (c *Config) validateListen(v *validation) {
	if c.Listen == "" && c.Socket == "" {
		v.wrong("there is neither a port nor a socket", "set listen, as in 127.0.0.1:2525, or socket", "listen")
	}
	if c.Listen == "" {
		return
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		v.wrong(fmt.Sprintf("%q is not host:port", c.Listen), "write an address, as in 127.0.0.1:2525", "listen")
		return
	}
	addr, err := netip.ParseAddr(host)
	if !c.Public && host != "localhost" && (err != nil || !addr.IsLoopback()) {
		v.wrong(fmt.Sprintf("%q can be reached by others, who could all send mail", c.Listen),
			"use 127.0.0.1, or set public: true and a network policy", "listen")
	}
}

func (c *Config) validateQueue(v *validation) {
	switch c.Queue.Full {
	case FullReject, FullDropOldest, FullDropNewest:
	default:
		v.wrong(fmt.Sprintf("%q is not a way to treat a full queue", c.Queue.Full),
			"write reject, drop-oldest or drop-newest", "queue", "full")
	}
	v.positive(int64(c.Queue.Messages), "queue", "messages")
	if c.Queue.Bytes < c.Limits.Message {
		v.wrong(fmt.Sprintf("%v is less than one mail may have (limits.message, %v)", c.Queue.Bytes, c.Limits.Message),
			"make it larger, or limits.message smaller", "queue", "bytes")
	}
	if c.Wait < 0 || c.Wait > 5*time.Minute {
		v.wrong(fmt.Sprintf("%v is not a time a client waits", c.Wait), "write 0s to 5m", "wait")
	}
	v.positive(int64(c.Retry.First), "retry", "first")
	v.positive(int64(c.Retry.MaxAge), "retry", "maxAge")
	v.positive(int64(c.Retry.Unreachable), "retry", "unreachable")
	if c.Retry.Max < c.Retry.First {
		v.wrong(fmt.Sprintf("%v is less than retry.first (%v)", c.Retry.Max, c.Retry.First), "make it larger", "retry", "max")
	}
}

func (c *Config) validateLimits(v *validation) {
	v.positive(int64(c.Limits.Message), "limits", "message")
	if c.Limits.Message > spool.MaxText/2 {
		v.wrong(fmt.Sprintf("%v is more than a mail can have", c.Limits.Message), "write at most 512MiB", "limits", "message")
	}
	v.positive(int64(c.Limits.Recipients), "limits", "recipients")
	v.positive(int64(c.Limits.Commands), "limits", "commands")
	v.positive(int64(c.Limits.Errors), "limits", "errors")
	v.positive(int64(c.Limits.Connections), "limits", "connections")
	v.positive(int64(c.Limits.Idle), "limits", "idle")
	v.positive(int64(c.Limits.Time), "limits", "time")
	v.positive(int64(c.Limits.Hops), "limits", "hops")
	if c.Limits.Memory < c.Limits.Message {
		v.wrong(fmt.Sprintf("%v has no room for one mail (limits.message, %v)", c.Limits.Memory, c.Limits.Message),
			"make it at least as large", "limits", "memory")
	}
}

type validation struct{ problems []error }

func (v *validation) wrong(what, remedy string, path ...any) {
	v.problems = append(v.problems, &setting.Problem{Path: path, What: what, Remedy: remedy})
}

func (v *validation) positive(n int64, path ...any) {
	if n <= 0 {
		v.wrong("zero or less leaves nothing to work with", "write a value above zero, or leave it out", path...)
	}
}

// under adds the problems of a part, seen from the top of this Config.
func (v *validation) under(err error, prefix ...any) {
	if err == nil {
		return
	}
	var p *setting.Problem
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			v.under(e, prefix...)
		}
	} else if errors.As(err, &p) {
		v.problems = append(v.problems, p.Under(prefix...))
	} else {
		v.problems = append(v.problems, err)
	}
}
