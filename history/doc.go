// Package history keeps what the routes of a gateway did in the last minutes and hours, for charts.
//
// It is fed with the windows that the control loop collects anyway. Memory is bounded: every route that
// has traffic keeps five minutes in steps of five seconds; a route whose new side serves or is tried
// keeps steps of a second, of ten seconds for two hours, and of two minutes for a day as well, and the
// latencies of its stage. A time in which nothing ended on a route takes no memory. Nothing is kept over
// a restart: decisions and their evidence are in the ledger.
package history
