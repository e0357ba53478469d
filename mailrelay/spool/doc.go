// Package spool keeps mails in files so that they survive a crash at any instant.
//
// A spool is a directory of segments. A segment is a file of records that is only appended to (NAME.mail), one
// record a mail with its envelope and text, and a file of marks (NAME.done) that says which recipients of
// which mail are settled. Both go when every mail of the segment is settled. Many callers share one
// fsync: whoever arrives while one is under way is part of the next (group commit).
//
// Every record has checksums of its head and of its content (CRC-32C, Castagnoli). After a crash the
// torn end of a segment is discarded: its fsync had not returned, so nobody was told it was safe. A
// damaged record elsewhere is set aside in the directory damaged and reported; the rest goes on.
// Every segment has a random salt that its records begin with, so that a mail cannot hold what recovery
// would take for a record.
// Marks are fsynced once a second only: losing one repeats a mail, it never loses one.
package spool
