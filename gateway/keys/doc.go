// Package keys knows what a user is known by: the gateway's own cookies, the Cookie header they come
// in, the host of a request, and how well a key holds.
package keys
