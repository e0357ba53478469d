// Package logshipper sends the lines of log files to where they are kept, to the last one.
//
// The file is the buffer: a line is read, handed to an output, and forgotten only when the output has it
// for certain. A checkpoint on disk says how far each file is acknowledged; after a crash the rest is
// read again. Memory is bounded by the batches under way, whatever the backlog.
//
// Every output of every Config is a pipe of its own: a goroutine that finds files and fills batches, and
// one that delivers them in order.
package logshipper
