// Package replay has a judge.Trial judge what an access log tells, split by key into two sides: since one program
// wrote the whole log, whatever is condemned is condemned by chance. A thousand splits tell how often.
//
// Like judge it is pure: no clock, no network, no disk. Lines go in; one seed gives one result.
package replay
