// Package wire is the part of SMTP that both ends share: commands, paths, replies and the form mail
// text has on the wire (RFC 5321).
package wire
