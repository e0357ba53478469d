// Package gateway stands in front of the app: it places every request on the old side or the new one,
// answers from the old side when the new one fails and a replay is safe, and counts what both did.
package gateway
