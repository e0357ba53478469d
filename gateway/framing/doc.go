// Package framing is the gate between a client's connection and net/http.Server: it lets through only
// requests whose beginning and end every HTTP/1.1 implementation sees in the same place.
//
// Request smuggling lives on two servers in a row that disagree about where a request ends. net/http
// is lenient in places where the balancer before it may not be (it prefers Transfer-Encoding to
// Content-Length without a word, and takes a bare LF for the end of a line in heads), and a handler
// is not told. So the bytes are checked before net/http sees them. What is refused is listed at the
// Reason constants; the rules are RFC 9112's, read strictly.
//
// A refused head is never written about on the socket from here, because the answer to an earlier
// request may be under way. The bytes of the head before the one at fault have been passed on, and
// then Read yields a line that no HTTP server accepts: net/http itself answers 400, in turn, and
// closes. The byte at fault and what follows it are never passed on, so net/http cannot complete the
// head. A fault inside a body makes Read fail with a *net.OpError that wraps *Error: the handler's
// reading of the body fails and net/http closes the connection.
//
// # What the server around it must do
//
//   - After a head with an Upgrade field (and that request's body) the gate lets everything through,
//     since what follows may not be HTTP. The handler must therefore answer such a request with 101 or
//     with Connection: close, so that net/http never reads a second request from such a connection.
//   - After Hijack, NetConn gives the connection below the gate.
//   - net/http speaks TLS and HTTP/2 only to a *tls.Conn it is handed itself. For TLS the server
//     completes the handshake, hands connections that negotiated h2 on as they are, and wraps the
//     others with NewTLSConn.
package framing
