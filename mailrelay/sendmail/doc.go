// Package sendmail stands in for /usr/sbin/sendmail: it takes a mail on standard input, as PHP's
// mail(), cron and the mailers of many languages give it, and hands it to a relay over SMTP.
package sendmail
