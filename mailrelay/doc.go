// Package mailrelay takes mail from the app beside it and hands it to a mail server elsewhere, without
// asking for a disk that outlives a crash.
//
// A 250 is given only when the mail is safe. There are two ways to be safe: cut-through, where a mail
// server has accepted the mail while the app waits, and the spool, which is fsynced before the answer.
// Without a spool directory the queue is memory, and a crash loses what waits in it.
//
// The SMTP server is our own because the hand-over of mail is what this package is for: it answers
// pipelined commands with one write, scans message text by line instead of by byte, refuses a bare CR
// or LF (a well-known SMTP library hands them on, which is what SMTP smuggling needs), and tells
// connections that idle, too, that it is stopping.
//
// Everything accepted is counted until it is settled; see Counts for the sum that always holds.
package mailrelay
