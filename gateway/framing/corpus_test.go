package framing

import "strings"

// seen is one request as a server understood it.
type seen struct{ method, target, body string }

// sample is raw input and what must become of it: the requests that come through whole, and the reason
// that ends the connection, if any. inBody says that the fault lies in the body of one more request, of
// which the handler has seen the head.
type sample struct {
	name   string
	raw    string
	want   []seen
	reason string
	inBody bool
}

const hostLine = "Host: a.test\r\n"

// head is a request head with a Host from the lines given.
func head(requestLine string, fields ...string) string {
	return requestLine + "\r\n" + hostLine + strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

var (
	get    = head("GET / HTTP/1.1")
	gotten = seen{"GET", "/", ""}
	post   = "POST /p HTTP/1.1"
	// victim is what an attacker wants the second server to read.
	victim = head("GET /admin HTTP/1.1")
)

// refusedHeads are heads none of which may reach a handler.
var refusedHeads = []sample{
	// Two lengths: CL.TE, TE.CL and their kin.
	{name: "CL.TE", raw: head(post, "Content-Length: 6", "Transfer-Encoding: chunked") + "0\r\n\r\nG", reason: ReasonLengthCoding},
	{name: "TE.CL", raw: head(post, "Transfer-Encoding: chunked", "Content-Length: 4") + "5c\r\n" + victim + "\r\n0\r\n\r\n", reason: ReasonLengthCoding},
	{name: "CL.0 with TE", raw: head(post, "Content-Length: 0", "Transfer-Encoding: chunked") + "0\r\n\r\n", reason: ReasonLengthCoding},
	{name: "CL.CL", raw: head(post, "Content-Length: 0", "Content-Length: 44") + victim, reason: ReasonLengthAgain},
	{name: "CL.CL equal", raw: head(post, "Content-Length: 3", "Content-Length: 3") + "abc", reason: ReasonLengthAgain},
	{name: "CL.CL in other case", raw: head(post, "Content-Length: 3", "content-length: 4") + "abcd", reason: ReasonLengthAgain},
	{name: "CL list", raw: head(post, "Content-Length: 3, 3") + "abc", reason: ReasonLength},
	{name: "CL plus", raw: head(post, "Content-Length: +3") + "abc", reason: ReasonLength},
	{name: "CL minus", raw: head(post, "Content-Length: -3") + "abc", reason: ReasonLength},
	{name: "CL minus zero", raw: head(post, "Content-Length: -0"), reason: ReasonLength},
	{name: "CL hex", raw: head(post, "Content-Length: 0x3") + "abc", reason: ReasonLength},
	{name: "CL hex digit", raw: head(post, "Content-Length: a") + "abcdefghij", reason: ReasonLength},
	{name: "CL underscore", raw: head(post, "Content-Length: 1_0") + "abcdefghij", reason: ReasonLength},
	{name: "CL exponent", raw: head(post, "Content-Length: 1e1") + "abcdefghij", reason: ReasonLength},
	{name: "CL fraction", raw: head(post, "Content-Length: 3.0") + "abc", reason: ReasonLength},
	{name: "CL quoted", raw: head(post, `Content-Length: "3"`) + "abc", reason: ReasonLength},
	{name: "CL empty", raw: head(post, "Content-Length:"), reason: ReasonLength},
	{name: "CL blank", raw: head(post, "Content-Length:  "), reason: ReasonLength},
	{name: "CL inner space", raw: head(post, "Content-Length: 1 0") + "abcdefghij", reason: ReasonLength},
	{name: "CL tab", raw: head(post, "Content-Length:\t3") + "abc", reason: ReasonLength},
	{name: "CL vertical tab", raw: head(post, "Content-Length: \v3") + "abc", reason: ReasonLength},
	{name: "CL NUL", raw: head(post, "Content-Length: 3\x00") + "abc", reason: ReasonLength},
	{name: "CL Arabic digit", raw: head(post, "Content-Length: \xd9\xa3") + "abc", reason: ReasonLength},
	{name: "CL over int64", raw: head(post, "Content-Length: 9223372036854775808"), reason: ReasonLength},
	{name: "CL over uint64", raw: head(post, "Content-Length: 18446744073709551619") + "abc", reason: ReasonLength},
	{name: "CL many zeros", raw: head(post, "Content-Length: 00000000000000000003") + "abc", reason: ReasonLength},
	{name: "CL in GET twice", raw: head("GET / HTTP/1.1", "Content-Length: 0", "Content-Length: 0"), reason: ReasonLengthAgain},
	{name: "CL underscore name", raw: head(post, "Content_Length: 3") + "abc", reason: ReasonLookAlike},

	// TE.TE: a coding that one of two servers does not recognise.
	{name: "TE xchunked", raw: head(post, "Transfer-Encoding: xchunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE chunkedx", raw: head(post, "Transfer-Encoding: chunkedx") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE twice in one", raw: head(post, "Transfer-Encoding: chunked, chunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE identity", raw: head(post, "Transfer-Encoding: identity") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE chunked, identity", raw: head(post, "Transfer-Encoding: chunked, identity"), reason: ReasonCoding},
	{name: "TE gzip, chunked", raw: head(post, "Transfer-Encoding: gzip, chunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE comma first", raw: head(post, "Transfer-Encoding: ,chunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE parameter", raw: head(post, "Transfer-Encoding: chunked;q=1") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE quoted", raw: head(post, `Transfer-Encoding: "chunked"`) + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE tab", raw: head(post, "Transfer-Encoding:\tchunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE vertical tab", raw: head(post, "Transfer-Encoding: \vchunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE form feed", raw: head(post, "Transfer-Encoding: chunked\f") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE NUL", raw: head(post, "Transfer-Encoding: chunked\x00") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE NBSP", raw: head(post, "Transfer-Encoding: \xa0chunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE two spaces", raw: head(post, "Transfer-Encoding:  chunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE space after", raw: head(post, "Transfer-Encoding: chunked ") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE empty", raw: head(post, "Transfer-Encoding:") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE Kelvin sign", raw: head(post, "Transfer-Encoding: chun\xe2\x84\xaaed") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE two fields", raw: head(post, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n", reason: ReasonCodingAgain},
	{name: "TE and cow", raw: head(post, "Transfer-Encoding: chunked", "Transfer-encoding: cow") + "0\r\n\r\n", reason: ReasonCodingAgain},
	{name: "TE folded", raw: head(post, "Transfer-Encoding:", " chunked") + "0\r\n\r\n", reason: ReasonCoding},
	{name: "TE space before colon", raw: head(post, "Transfer-Encoding : chunked") + "0\r\n\r\n", reason: ReasonNameSpace},
	{name: "TE tab before colon", raw: head(post, "Transfer-Encoding\t: chunked") + "0\r\n\r\n", reason: ReasonNameSpace},
	{name: "TE in HTTP/1.0", raw: head("POST /p HTTP/1.0", "Transfer-Encoding: chunked") + "0\r\n\r\n", reason: ReasonCodingOld},
	{name: "TE underscore name", raw: head(post, "Transfer_Encoding: chunked") + "0\r\n\r\n", reason: ReasonLookAlike},
	{name: "TE behind a bare LF", raw: head(post, "X: y\nTransfer-Encoding: chunked") + "0\r\n\r\n", reason: ReasonLineEnd},
	{name: "TE behind a bare CR", raw: head(post, "X: y\rTransfer-Encoding: chunked") + "0\r\n\r\n", reason: ReasonLineEnd},

	// Ends of lines.
	{name: "bare LF after the request line", raw: "GET / HTTP/1.1\nHost: a.test\r\n\r\n", reason: ReasonLineEnd},
	{name: "bare LF after a field", raw: "GET / HTTP/1.1\r\nHost: a.test\n\r\n", reason: ReasonLineEnd},
	{name: "bare LF after another field", raw: head("GET / HTTP/1.1", "X: y\nZ: z"), reason: ReasonLineEnd},
	{name: "bare LF ends the head", raw: "GET / HTTP/1.1\r\nHost: a.test\r\n\n", reason: ReasonLineEnd},
	{name: "only LF", raw: "GET / HTTP/1.1\nHost: a.test\n\n", reason: ReasonLineEnd},
	{name: "LF after the length", raw: "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\n\r\nabc", reason: ReasonLineEnd},
	{name: "LF after the coding", raw: "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\n\r\n0\r\n\r\n", reason: ReasonLineEnd},
	{name: "LF in a name", raw: head("GET / HTTP/1.1", "X\n: y"), reason: ReasonLineEnd},
	{name: "LF after the target", raw: "GET /\nHost: a.test\r\n\r\n", reason: ReasonLineEnd},
	{name: "CR CR LF", raw: "GET / HTTP/1.1\r\r\nHost: a.test\r\n\r\n", reason: ReasonLineEnd},
	{name: "CR in a value", raw: head("GET / HTTP/1.1", "X: a\rb"), reason: ReasonLineEnd},
	{name: "CR ends the head", raw: "GET / HTTP/1.1\r\nHost: a.test\r\n\rX", reason: ReasonLineEnd},

	// Fields.
	{name: "NUL in a value", raw: head("GET / HTTP/1.1", "X: a\x00b"), reason: ReasonControl},
	{name: "bell in a value", raw: head("GET / HTTP/1.1", "X-Long-Enough: abcdefghijklmnop\aqrstuvwxyz"), reason: ReasonControl},
	{name: "DEL in a value", raw: head("GET / HTTP/1.1", "X-Long-Enough: abcdefghijklmnop\x7fqrstuvwxyz"), reason: ReasonControl},
	{name: "obs-fold", raw: head("GET / HTTP/1.1", "X: y", " z"), reason: ReasonFold},
	{name: "obs-fold with a tab", raw: head("GET / HTTP/1.1", "X: y", "\tContent-Length: 3"), reason: ReasonFold},
	{name: "fold before any field", raw: "GET / HTTP/1.1\r\n Host: a.test\r\n\r\n", reason: ReasonFold},
	{name: "line of a space", raw: "GET / HTTP/1.1\r\nHost: a.test\r\n \r\n\r\n", reason: ReasonFold},
	{name: "space before the colon", raw: head("GET / HTTP/1.1", "X : y"), reason: ReasonNameSpace},
	{name: "space in a name", raw: head("GET / HTTP/1.1", "X Y: z"), reason: ReasonNameSpace},
	{name: "empty name", raw: head("GET / HTTP/1.1", ": y"), reason: ReasonName},
	{name: "no colon", raw: head("GET / HTTP/1.1", "Xyz"), reason: ReasonName},
	{name: "name not a token", raw: head("GET / HTTP/1.1", "X(y): z"), reason: ReasonName},
	{name: "NUL in a name", raw: head(post, "Content-Length\x00: 3") + "abc", reason: ReasonName},
	{name: "UTF-8 in a name", raw: head("GET / HTTP/1.1", "\xc3\xa9: z"), reason: ReasonName},
	{name: "BOM before a name", raw: head(post, "\xef\xbb\xbfTransfer-Encoding: chunked"), reason: ReasonName},

	// Request lines.
	{name: "space first", raw: " " + get, reason: ReasonBlankStart},
	{name: "tab first", raw: "\t" + get, reason: ReasonBlankStart},
	{name: "empty line first", raw: "\r\n" + get, reason: ReasonBlankStart},
	{name: "LF first", raw: "\n" + get, reason: ReasonBlankStart},
	{name: "HTTP/0.9", raw: "GET /\r\n", reason: ReasonVersion},
	{name: "HTTP/0.9 with a space", raw: "GET / \r\n\r\n", reason: ReasonVersion},
	{name: "HTTP/1.2", raw: head("GET / HTTP/1.2"), reason: ReasonVersion},
	{name: "HTTP/1.10", raw: head("GET / HTTP/1.10"), reason: ReasonVersion},
	{name: "HTTP/2.0", raw: head("GET / HTTP/2.0"), reason: ReasonVersion},
	{name: "HTTP/01.1", raw: head("GET / HTTP/01.1"), reason: ReasonVersion},
	{name: "http/1.1", raw: head("GET / http/1.1"), reason: ReasonVersion},
	{name: "version and more", raw: head("GET / HTTP/1.1 "), reason: ReasonVersion},
	{name: "two targets", raw: head("GET / /admin HTTP/1.1"), reason: ReasonVersion},
	{name: "two spaces before the target", raw: head("GET  / HTTP/1.1"), reason: ReasonTarget},
	{name: "two spaces before the version", raw: head("GET /  HTTP/1.1"), reason: ReasonVersion},
	{name: "tab before the target", raw: head("GET\t/ HTTP/1.1"), reason: ReasonMethod},
	{name: "tab before the version", raw: head("GET /\tHTTP/1.1"), reason: ReasonTarget},
	{name: "no method", raw: head("/ HTTP/1.1"), reason: ReasonMethod},
	{name: "method not a token", raw: head("GE(T / HTTP/1.1"), reason: ReasonMethod},
	{name: "NUL first", raw: "\x00" + get, reason: ReasonMethod},
	{name: "TLS hello", raw: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", reason: ReasonMethod},
	{name: "NUL in the target", raw: head("GET /\x00 HTTP/1.1"), reason: ReasonTarget},
	{name: "UTF-8 in the target", raw: head("GET /\xc3\xa9 HTTP/1.1"), reason: ReasonTarget},
	{name: "DEL in the target", raw: head("GET /\x7f HTTP/1.1"), reason: ReasonTarget},
	{name: "fragment", raw: head("GET /a#b HTTP/1.1"), reason: ReasonTarget},
	{name: "target without a slash", raw: head("GET admin HTTP/1.1"), reason: ReasonTarget},
	{name: "target ?x", raw: head("GET ?x HTTP/1.1"), reason: ReasonTarget},
	{name: "asterisk for GET", raw: head("GET * HTTP/1.1"), reason: ReasonTarget},
	{name: "asterisk and more", raw: head("OPTIONS */x HTTP/1.1"), reason: ReasonTarget},
	{name: "CONNECT", raw: head("CONNECT a.test:443 HTTP/1.1"), reason: ReasonConnect},
	{name: "other scheme", raw: head("GET ftp://a.test/ HTTP/1.1"), reason: ReasonTarget},
	{name: "half a scheme", raw: head("GET http:/a.test/ HTTP/1.1"), reason: ReasonTarget},
	{name: "no authority", raw: head("GET http:///x HTTP/1.1"), reason: ReasonTarget},
	{name: "user in the authority", raw: head("GET http://a.test@b.test/ HTTP/1.1"), reason: ReasonTarget},
	{name: "long authority", raw: head("GET http://" + strings.Repeat("a", 262) + "/ HTTP/1.1"), reason: ReasonTarget},
	{name: "HTTP/2 preface", raw: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", reason: ReasonTarget},

	// Host.
	{name: "no Host", raw: "GET / HTTP/1.1\r\n\r\n", reason: ReasonHostMissing},
	{name: "two Hosts", raw: head("GET / HTTP/1.1", "host: b.test"), reason: ReasonHostAgain},
	{name: "two equal Hosts", raw: head("GET / HTTP/1.1", "Host: a.test"), reason: ReasonHostAgain},
	{name: "Host list", raw: "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n", reason: ReasonHost},
	{name: "Host with a path", raw: "GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n", reason: ReasonHost},
	{name: "Host with a user", raw: "GET / HTTP/1.1\r\nHost: u@a.test\r\n\r\n", reason: ReasonHost},
	{name: "Host with NUL", raw: "GET / HTTP/1.1\r\nHost: a\x00.test\r\n\r\n", reason: ReasonHost},
	{name: "Host other than the target's", raw: head("GET http://b.test/ HTTP/1.1"), reason: ReasonHostTarget},
	{name: "Host shorter than the target's", raw: head("GET http://a.test:80/ HTTP/1.1"), reason: ReasonHostTarget},
	{name: "Host longer than the target's", raw: head("GET http://a.tes/ HTTP/1.1"), reason: ReasonHostTarget},
}

// refusedBodies are requests whose head is fine and whose body is not.
var refusedBodies = []sample{
	{name: "chunk size 0x", raw: chunkedPost("0x3\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size plus", raw: chunkedPost("+3\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size minus", raw: chunkedPost("-3\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size empty", raw: chunkedPost("\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size only an extension", raw: chunkedPost(";x\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size g", raw: chunkedPost("g\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size space before", raw: chunkedPost(" 3\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size space after", raw: chunkedPost("3 \r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size space before extension", raw: chunkedPost("3 ;x\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size tab", raw: chunkedPost("3\t\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size overflow", raw: chunkedPost("ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size wraps", raw: chunkedPost("10000000000000003\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkSize},
	{name: "chunk size line bare LF", raw: chunkedPost("3\nabc\r\n0\r\n\r\n"), reason: ReasonChunkLine},
	{name: "chunk size line bare CR", raw: chunkedPost("3\rabc\r\n0\r\n\r\n"), reason: ReasonChunkLine},
	{name: "extension bare LF", raw: chunkedPost("3;x\nabc\r\n0\r\n\r\n"), reason: ReasonChunkLine},
	{name: "extension bare CR", raw: chunkedPost("3;x\ry\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkLine},
	{name: "extension NUL", raw: chunkedPost("3;\x00\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkLine},
	{name: "extension too long", raw: chunkedPost("3;" + strings.Repeat("x", maxExtension+1) + "\r\nabc\r\n0\r\n\r\n"), reason: ReasonChunkLong},
	{name: "chunk data too long", raw: chunkedPost("3\r\nabcd\r\n0\r\n\r\n"), reason: ReasonChunkEnd},
	{name: "chunk data ended by LF", raw: chunkedPost("3\r\nabc\n0\r\n\r\n"), reason: ReasonChunkEnd},
	{name: "chunk data ended by CR", raw: chunkedPost("3\r\nabc\r0\r\n\r\n"), reason: ReasonChunkEnd},
	{name: "chunk data ended by two other bytes", raw: chunkedPost("3\r\nabcXX0\r\n\r\n"), reason: ReasonChunkEnd},
	{name: "last chunk bare LF", raw: chunkedPost("0\n\r\n"), reason: ReasonChunkLine},
	{name: "end of trailers bare LF", raw: chunkedPost("0\r\n\n" + victim), reason: ReasonLineEnd},
	{name: "trailer bare LF", raw: chunkedPost("0\r\nX: y\n\r\n"), reason: ReasonLineEnd},
	{name: "trailer fold", raw: chunkedPost("0\r\nX: y\r\n z\r\n\r\n"), reason: ReasonFold},
	{name: "trailer Content-Length", raw: chunkedPost("0\r\nContent-Length: 3\r\n\r\nabc"), reason: ReasonTrailerField},
	{name: "trailer Transfer-Encoding", raw: chunkedPost("0\r\nTransfer-Encoding: chunked\r\n\r\n"), reason: ReasonTrailerField},
	{name: "trailer Host", raw: chunkedPost("0\r\nHost: b.test\r\n\r\n"), reason: ReasonTrailerField},
	{name: "trailer is a request", raw: chunkedPost("0\r\n" + victim), reason: ReasonNameSpace},
	{name: "second chunk bad", raw: chunkedPost("3\r\nabc\r\n0x1\r\nd\r\n0\r\n\r\n"), reason: ReasonChunkSize},
}

func chunkedPost(body string) string {
	return head(post, "Transfer-Encoding: chunked") + body
}

// clean are inputs that pass whole.
var clean = []sample{
	{name: "one", raw: get, want: []seen{gotten}},
	{name: "two", raw: get + get, want: []seen{gotten, gotten}},
	{name: "HTTP/1.0 without Host", raw: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", want: []seen{gotten}},
	{name: "empty Host", raw: "GET / HTTP/1.1\r\nHost:\r\n\r\n", want: []seen{gotten}},
	{name: "IPv6 Host", raw: "GET / HTTP/1.1\r\nHost: [::1]:80 \r\n\r\n", want: []seen{gotten}},
	{name: "length", raw: head(post, "Content-Length: 3") + "abc" + get, want: []seen{{"POST", "/p", "abc"}, gotten}},
	{name: "length without a space", raw: head(post, "content-length:3  ") + "abc" + get, want: []seen{{"POST", "/p", "abc"}, gotten}},
	{name: "length zero", raw: head(post, "Content-Length: 0") + get, want: []seen{{"POST", "/p", ""}, gotten}},
	{name: "length on GET", raw: head("GET / HTTP/1.1", "Content-Length: 3") + "abc" + get, want: []seen{{"GET", "/", "abc"}, gotten}},
	{name: "length in HTTP/1.0", raw: head("POST /p HTTP/1.0", "Connection: keep-alive", "Content-Length: 3") + "abc" + get, want: []seen{{"POST", "/p", "abc"}, gotten}},
	{name: "a request as body", raw: head(post, "Content-Length: 37") + victim + get, want: []seen{{"POST", "/p", victim}, gotten}},
	{name: "line ends and NUL in a body", raw: head(post, "Content-Length: 4") + "\n\r\x00 " + get, want: []seen{{"POST", "/p", "\n\r\x00 "}, gotten}},
	{name: "empty line after a body", raw: head(post, "Content-Length: 3") + "abc\r\n" + get, want: []seen{{"POST", "/p", "abc"}, gotten}},
	{name: "empty line after chunks", raw: chunkedPost("0\r\n\r\n\r\n") + get, want: []seen{{"POST", "/p", ""}, gotten}},
	{name: "chunked", raw: chunkedPost("3\r\nabc\r\n2;x=\"y z\"\r\nde\r\n0\r\n\r\n") + get, want: []seen{{"POST", "/p", "abcde"}, gotten}},
	{name: "CHUNKED", raw: head(post, "TRANSFER-ENCODING:ChUnKeD") + "00A\r\n0123456789\r\n000\r\n\r\n" + get, want: []seen{{"POST", "/p", "0123456789"}, gotten}},
	{name: "trailers", raw: chunkedPost("1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n") + get, want: []seen{{"POST", "/p", "a"}, gotten}},
	{name: "Upgrade in a trailer changes nothing", raw: chunkedPost("1\r\na\r\n0\r\nUpgrade: y\r\n\r\n") + get, want: []seen{{"POST", "/p", "a"}, gotten}},
	{name: "absolute-form", raw: head("GET http://A.test/x?y HTTP/1.1") + get, want: []seen{{"GET", "http://A.test/x?y", ""}, gotten}},
	{name: "absolute-form with a query alone", raw: head("GET HTTPS://a.test?y HTTP/1.1"), want: []seen{{"GET", "HTTPS://a.test?y", ""}}},
	{name: "absolute-form with nothing", raw: head("GET http://a.test HTTP/1.1"), want: []seen{{"GET", "http://a.test", ""}}},
	{name: "asterisk-form", raw: head("OPTIONS * HTTP/1.1") + get, want: []seen{{"OPTIONS", "*", ""}, gotten}},
	{name: "odd but legal target", raw: head(`GET /"<>[]\^{|}%00?a=/b HTTP/1.1`), want: []seen{{"GET", `/"<>[]\^{|}%00?a=/b`, ""}}},
	{name: "method with every mark", raw: head("M!#$%&'*+-.^_`|~9 / HTTP/1.1"), want: []seen{{"M!#$%&'*+-.^_`|~9", "/", ""}}},
	{name: "tab and UTF-8 in a value", raw: head("GET / HTTP/1.1", "X:\ta\tb \xc3\xa9 \xff and some more \x80"), want: []seen{gotten}},
	{name: "empty value", raw: head("GET / HTTP/1.1", "X:"), want: []seen{gotten}},
	{name: "names like the framing ones", raw: head("GET / HTTP/1.1", "Content-Lengthy: x", "XTransfer-Encoding: y", "Accept-Charset: z"), want: []seen{gotten}},
}

// corpus is all samples; those that are refused also behind a clean request, whose answer must not
// suffer.
func corpus() []sample {
	samples := append([]sample{}, clean...)
	for _, s := range refusedHeads {
		samples = append(samples, s)
		s.name, s.raw, s.want = s.name+" behind a request", get+s.raw, []seen{gotten}
		samples = append(samples, s)
	}
	for _, s := range refusedBodies {
		s.inBody = true
		samples = append(samples, s)
		s.name, s.raw, s.want = s.name+" behind a request", get+s.raw, []seen{gotten}
		samples = append(samples, s)
	}
	return append(samples, sample{
		name: "two empty lines after a body", raw: head(post, "Content-Length: 1") + "a\r\n\r\n" + get,
		want: []seen{{"POST", "/p", "a"}}, reason: ReasonBlankStart,
	}, sample{
		name: "CR alone after a body", raw: head(post, "Content-Length: 1") + "a\r" + get,
		want: []seen{{"POST", "/p", "a"}}, reason: ReasonBlankStart,
	}, sample{
		name: "CL.0: a body where none was announced", raw: head(post) + "GPOST\r\n",
		want: []seen{{"POST", "/p", ""}}, reason: ReasonMethod,
	})
}
