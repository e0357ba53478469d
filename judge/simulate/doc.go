// Package simulate makes up the traffic of a route, request by request, and has a judge.Trial judge it: as
// often as one likes, to see how often the same program is condemned, and how soon a worse one is.
//
// A Scenario says who comes and what happens. Traffic turns it into judge.Windows, tick by tick, as the
// gateway would. Who is on which side follows from the user's point alone, and all that he does is drawn
// without a look at it: under "the same program" the two sides differ in nothing but chance. What differs
// even so is what the gateway itself does: a request that the new side has failed is asked of the old side,
// and its user never learns of it.
//
// Like judge it is pure: no clock, no network, no disk. One seed gives one result.
package simulate
