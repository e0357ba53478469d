package mailrelay

import (
	"time"

	"yadokari/cloud/bucket"
	"yadokari/mailrelay/upstream"
	"yadokari/setting"
)

// Config is the mail: section of yadokari.yaml.
type Config struct {
	// Listen is where SMTP is spoken, host:port. An address other than loopback needs Public. Empty:
	// no port, only Socket.
	Listen string `yaml:"listen" default:"127.0.0.1:2525"`
	// Socket is the path of a unix socket where SMTP is spoken too; yadokari sendmail prefers it. Its
	// permissions are 0666: whoever reaches the directory may send. Empty: no socket.
	Socket string `yaml:"socket"`
	// Public allows Listen to be an address that others can reach. Anyone who reaches it can send
	// through the relay, so a network policy has to say who that is.
	Public bool `yaml:"public" default:"false"`
	// Upstream is the mail server that takes the mail on.
	Upstream upstream.Config `yaml:"upstream"`
	// Wait is how long a client waits for the upstream's answer to its mail (cut-through). After that
	// the mail goes to the queue and the client gets its 250. 0s: always queue.
	Wait time.Duration `yaml:"wait" default:"5s"`
	// Spool is the directory of the queue. Without it the queue is memory, and a crash loses it.
	Spool string `yaml:"spool"`
	// Queue bounds what may wait for delivery, on disk as in memory.
	Queue Queue `yaml:"queue"`
	// Retry says when a mail that could not be delivered is tried again.
	Retry Retry `yaml:"retry"`
	// Limits protect the relay from its clients.
	Limits Limits `yaml:"limits"`
	// Leftover is where mail goes that is still queued when the relay must stop.
	Leftover Leftover `yaml:"leftover"`
}

// Queue bounds what may wait for delivery.
type Queue struct {
	// Messages is the most mails that may wait.
	Messages int `yaml:"messages" default:"10000"`
	// Bytes is the most bytes of mail, envelopes counted, that may wait.
	Bytes setting.Size `yaml:"bytes" default:"64MiB"`
	// Full says what becomes of a mail for which there is no room: reject answers 452, so that the
	// client keeps it; drop-oldest gives up the mail that has waited longest; drop-newest accepts the
	// new mail and gives it up. Every mail given up is counted and logged.
	Full string `yaml:"full" default:"reject"`
}

// Retry says when a mail that met a temporary error is tried again. An upstream that cannot be reached
// at all does not use up tries: the queue waits until one can be reached.
type Retry struct {
	// First is the delay before the second try; it doubles from try to try. Each delay is drawn from
	// its upper half, so that mails which failed together are not tried together.
	First time.Duration `yaml:"first" default:"30s"`
	// Max is the longest delay.
	Max time.Duration `yaml:"max" default:"30m"`
	// MaxAge is how old a mail may grow before it bounces.
	MaxAge time.Duration `yaml:"maxAge" default:"120h"`
	// Unreachable is the longest delay between two attempts to reach an upstream that cannot be reached.
	Unreachable time.Duration `yaml:"unreachable" default:"30s"`
}

// Limits protect the relay from its clients.
type Limits struct {
	// Message is the largest mail accepted.
	Message setting.Size `yaml:"message" default:"25MiB"`
	// Recipients is the most recipients of one mail; further ones get 452, as RFC 5321 asks.
	Recipients int `yaml:"recipients" default:"1000"`
	// Commands is how many commands a client may send without handing over a mail; then 421.
	Commands int `yaml:"commands" default:"100"`
	// Errors is how many commands of one connection may be answered 5xx; then 421.
	Errors int `yaml:"errors" default:"20"`
	// Connections is the most clients at once; one more gets 421.
	Connections int `yaml:"connections" default:"200"`
	// Idle is how long a client may take for its next command, or for the next part of a mail.
	Idle time.Duration `yaml:"idle" default:"5m"`
	// Time is how long the text of one mail may take to arrive.
	Time time.Duration `yaml:"time" default:"10m"`
	// Memory is the most memory for mails that are arriving, beyond the first 64 KiB of each. Clients
	// with large mails wait for each other's room. It is at least Message.
	Memory setting.Size `yaml:"memory" default:"64MiB"`
	// Hops is how many Received lines a mail may have before it is taken to go in circles.
	Hops int `yaml:"hops" default:"50"`
}

// Leftover is where mail goes that is still queued when the relay must stop. It is written in the
// form of a spool, in a directory of its own for each stop; yadokari mail inject takes it back. With both a
// bucket and a directory, the directory gets what the bucket does not take.
type Leftover struct {
	// Dir is the directory, on a disk that outlives this host or pod. Without it and S3, a queue in memory
	// that is not empty at the deadline is lost, and counted as dropped.
	Dir string `yaml:"dir"`
	// S3 is a bucket of AWS, or of another service that speaks the same protocol. A quarter of the stop's
	// time for mail, at most 10 s, is kept for writing to it.
	S3 *bucket.Config `yaml:"s3"`
	// Spool also moves what is left in the spool: for a spool whose disk goes with the pod.
	Spool bool `yaml:"spool" default:"false"`
}

// What Queue.Full may say.
const (
	FullReject     = "reject"
	FullDropOldest = "drop-oldest"
	FullDropNewest = "drop-newest"
)
