package cli_test

import (
	"fmt"
	"slices"
	"strings"
)

// A probe is what a client sends on one connection, the status codes of what it
// gets, and the request lines that the upstream reads; "?" behind one whose body
// breaks off, which may not get so far. What it sends is followed by a GET of
// /api/v2/version, which ends the connection if it is still one.
type probe struct{ name, send, codes, upstream string }

const (
	viewer = "Authorization: Basic dmlld2VyOnZpZXdlcg==\r\n" // viewer:viewer
	// posted begins a request that passes, unproven one that does not.
	posted   = "POST /api/v2/dags HTTP/1.1\r\nHost: h000\r\n" + viewer
	unproven = "POST /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAuthorization: Basic dmlld2VyOm5v\r\n"
	// inner is what shall not be taken for a request, but is one when it is.
	inner = "GET /api/v2/smuggled HTTP/1.1\r\nHost: h000\r\n\r\n"
)

var probes = slices.Concat(
	// Two lengths, or a length and chunks (RFC 9112 section 6.3).
	[]probe{
		{"CL.TE", posted + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, "200", "POST /api/v2/dags"},
		{"TE.CL", posted + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2d\r\n" + inner + "\r\n0\r\n\r\n", "200", "POST /api/v2/dags"},
		{"two lengths", posted + "Content-Length: 0\r\nContent-Length: 45\r\n\r\n" + inner, "400", ""},
		{"the same length twice", posted + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", "200 200", "POST /api/v2/dags | GET /api/v2/version"},
		{"lengths in a list", posted + "Content-Length: 2, 2\r\n\r\nok", "400", ""},
		{"a length with a sign", posted + "Content-Length: +2\r\n\r\nok", "400", ""},
		{"a negative length", posted + "Content-Length: -2\r\n\r\nok", "400", ""},
		{"a length in hexadecimal", posted + "Content-Length: 0x2\r\n\r\nok", "400", ""},
		{"a length beyond 64 bits", posted + "Content-Length: 18446744073709551618\r\n\r\nok", "400", ""},
		{"an empty length", posted + "Content-Length:\r\n\r\n" + inner, "400", ""},
		{"a length under another name", posted + "Content_Length: 45\r\n\r\n" + inner, "200 401 200", "POST /api/v2/dags | GET /api/v2/version"},
		{"a good length", posted + "Content-Length: 2\r\n\r\nok", "200 200", "POST /api/v2/dags | GET /api/v2/version"},
	},
	disguised(),
	[]probe{
		// Chunks.
		{"chunks", posted + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200", "POST /api/v2/dags"},
		{"a chunk extension", posted + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n", "200", "POST /api/v2/dags"},
		{"a chunk extension with a bare LF", posted + "Transfer-Encoding: chunked\r\n\r\n2;\nok\r\n0\r\n\r\n", "400", "POST /api/v2/dags?"},
		{"a chunk's size with a sign", posted + "Transfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n", "400", "POST /api/v2/dags?"},
		{"a chunk's size in 0x", posted + "Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n", "400", "POST /api/v2/dags?"},
		{"a chunk's size that overflows", posted + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n", "400", "POST /api/v2/dags?"},
		{"a chunk that is longer than it says", posted + "Transfer-Encoding: chunked\r\n\r\n2\r\noknotok\r\n0\r\n\r\n", "400", "POST /api/v2/dags?"},
		{"trailers", posted + "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n2\r\nok\r\n0\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n\r\n", "200", "POST /api/v2/dags"},
		{"a request behind a bad chunk", posted + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + inner, "400", "POST /api/v2/dags?"},
		{"a request behind a bad second chunk", posted + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n" + inner, "400", "POST /api/v2/dags?"},
		{"a request behind the last chunk", posted + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, "200", "POST /api/v2/dags"},
		{"chunks of HTTP/1.0", "POST /api/v2/dags HTTP/1.0\r\nHost: h000\r\n" + viewer + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, "200", "POST /api/v2/dags"},
		{"chunks and a length of HTTP/1.0", "POST /api/v2/dags HTTP/1.0\r\nHost: h000\r\n" + viewer + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 45\r\n\r\n" + inner, "200 200", "POST /api/v2/dags | GET /api/v2/version"},

		// The head's own shape (section 5).
		{"bare LF for every line", "GET /api/v2/dags HTTP/1.1\nHost: h000\nAuthorization: Basic dmlld2VyOnZpZXdlcg==\n\n", "200 200", "GET /api/v2/dags | GET /api/v2/version"},
		{"a bare CR in a header", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nX: a\rAuthorization: Basic dmlld2VyOnZpZXdlcg==\r\n\r\n", "400", ""},
		{"a space before the colon", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAuthorization : Basic dmlld2VyOnZpZXdlcg==\r\n\r\n", "400", ""},
		{"a folded header", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAuthorization: Basic\r\n dmlld2VyOnZpZXdlcg==\r\n\r\n", "200 200", "GET /api/v2/dags | GET /api/v2/version"},
		{"a folded header that hides another", "GET /page HTTP/1.1\r\nHost: h000\r\nX: a\r\n X-Remote-User: admin\r\n\r\n", "200 200", "GET /page | GET /api/v2/version"},
		{"a line before the headers", "GET /api/v2/dags HTTP/1.1\r\n X: y\r\nHost: h000\r\n" + viewer + "\r\n", "400", ""},
		{"no colon", "GET /page HTTP/1.1\r\nHost: h000\r\nX\r\n\r\n", "400", ""},
		{"no name", "GET /page HTTP/1.1\r\nHost: h000\r\n: x\r\n\r\n", "400", ""},
		{"NUL in a value", "GET /page HTTP/1.1\r\nHost: h000\r\nX: a\x00b\r\n\r\n", "400", ""},
		{"NUL in a name", "GET /page HTTP/1.1\r\nHost: h000\r\nX\x00: b\r\n\r\n", "400", ""},
		{"a name beyond ASCII", "GET /page HTTP/1.1\r\nHost: h000\r\nX-R\xe9mote: b\r\n\r\n", "400", ""},
		{"a value that is not UTF-8", "GET /page HTTP/1.1\r\nHost: h000\r\nX: \xff\xfe\r\n\r\n", "200 200", "GET /page | GET /api/v2/version"},
		{"a control character in a value", "GET /page HTTP/1.1\r\nHost: h000\r\nUser-Agent: a\x1b[2J\r\n\r\n", "400", ""},
		{"two hosts", "GET /page HTTP/1.1\r\nHost: h000\r\nHost: i\r\n\r\n", "400", ""},
		{"no host", "GET /page HTTP/1.1\r\n\r\n", "400", ""},
		{"a host with a path", "GET /page HTTP/1.1\r\nHost: h000/../x\r\n\r\n", "400", ""},

		// The request line (section 3).
		{"an absolute target", "GET http://h000/api/v2/dags HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "200 200", "GET /api/v2/dags | GET /api/v2/version"},
		{"a target without a path", "GET http://h000 HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "200 200", "GET / | GET /api/v2/version"},
		{"an absolute target that is protected", "GET http://h000/api/v2/dags HTTP/1.1\r\nHost: h000\r\n\r\n", "401 200", "GET /api/v2/version"},
		{"another scheme's target", "GET file:///api/v2/dags HTTP/1.1\r\nHost: h000\r\n\r\n", "400 200", "GET /api/v2/version"},
		{"CONNECT to an authority", "CONNECT upstream:80 HTTP/1.1\r\nHost: upstream:80\r\n" + viewer + "\r\n", "400 200", "GET /api/v2/version"},
		{"CONNECT to a path", "CONNECT /api/v2/version HTTP/1.1\r\nHost: h000\r\n\r\n", "405 200", "GET /api/v2/version"},
		{"a target with a space", "GET /api/v2/version HTTP/1.1/../../dags HTTP/1.1\r\nHost: h000\r\n\r\n", "400", ""},
		{"a target with a tab", "GET /api/v2/version\t/x HTTP/1.1\r\nHost: h000\r\n\r\n", "400", ""},
		{"two spaces", "GET  /api/v2/dags HTTP/1.1\r\nHost: h000\r\n\r\n", "400", ""},
		{"a target without a slash", "GET api/v2/dags HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "400", ""},
		{"a target that is a host", "GET //api/v2/dags HTTP/1.1\r\nHost: h000\r\n\r\n", "400 200", "GET /api/v2/version"},
		{"a star", "GET * HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "400 200", "GET /api/v2/version"},
		{"OPTIONS of everything", "OPTIONS * HTTP/1.1\r\nHost: h000\r\n\r\n", "400 200", "GET /api/v2/version"},
		{"a fragment", "GET /api/v2/version#/../dags HTTP/1.1\r\nHost: h000\r\n\r\n", "400 200", "GET /api/v2/version"},
		{"a path that is not UTF-8", "GET /api/v2/dags/\xff%fe HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "400 200", "GET /api/v2/version"},
		{"an encoded line", "GET /api/v2/dags/a%0d%0aX:%20y HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "400 200", "GET /api/v2/version"},
		{"a lower-case method", "get /api/v2/dags HTTP/1.1\r\nHost: h000\r\n\r\n", "401 200", "GET /api/v2/version"},
		{"a method that is none", "GE(T /api/v2/dags HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "400", ""},
		{"HTTP/0.9", "GET /api/v2/dags\r\n\r\n", "400", ""},
		{"HTTP/1.2", "GET /page HTTP/1.2\r\nHost: h000\r\n\r\n", "200 200", "GET /page | GET /api/v2/version"},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400", ""},
		{"an upgrade to HTTP/2", "GET /page HTTP/1.1\r\nHost: h000\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", "200 200", "GET /page | GET /api/v2/version"},
		{"a WebSocket that nobody takes", "GET /page HTTP/1.1\r\nHost: h000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + inner, "200 401 200", "GET /page | GET /api/v2/version"},
		{"a WebSocket with a body", "GET /page HTTP/1.1\r\nHost: h000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 45\r\n\r\n" + inner, "200 200", "GET /page | GET /api/v2/version"},
		{"a length that Connection names", posted + "Connection: Content-Length\r\nContent-Length: 45\r\n\r\n" + inner, "200 200", "POST /api/v2/dags | GET /api/v2/version"},
		{"an Authorization that Connection names", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nConnection: Authorization, X-Forwarded-For\r\n" + viewer + "\r\n", "200 200", "GET /api/v2/dags | GET /api/v2/version"},
		{"a GET with a body", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\n" + viewer + "Content-Length: 45\r\n\r\n" + inner, "200 200", "GET /api/v2/dags | GET /api/v2/version"},
		{"an empty line first", "\r\nGET /page HTTP/1.1\r\nHost: h000\r\n\r\n", "400", ""},
		{"TLS where there is none", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n", "400", ""},

		// A request behind one that is refused.
		{"behind a refused body", unproven + "Content-Length: 45\r\n\r\n" + inner, "401 200", "GET /api/v2/version"},
		{"behind a refused body in chunks", unproven + "Transfer-Encoding: chunked\r\n\r\n2d\r\n" + inner + "\r\n0\r\n\r\n", "401", ""},
		{"behind a refused body that is short", unproven + "Content-Length: 10\r\n\r\n" + inner, "401 400", ""},
		{"behind a refused body in bad chunks", unproven + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + inner, "401", ""},
		{"behind one that waits for 100", unproven + "Expect: 100-continue\r\nContent-Length: 45\r\n\r\n" + inner, "401", ""},
		{"behind a refused body of 1 MiB", unproven + "Content-Length: 1048576\r\n\r\n" + strings.Repeat(inner, 1048576/len(inner)+1)[:1048576], "401", ""},
		{"each is judged alone", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n" + inner + "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "200 401 200 200", "GET /api/v2/dags | GET /api/v2/dags | GET /api/v2/version"},

		// Headers: doubled, many, long (C-29).
		{"two Authorizations", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\n" + viewer + viewer + "\r\n", "400 200", "GET /api/v2/version"},
		{"two spellings of it", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAUTHORIZATION: Basic bm86bm8=\r\n" + viewer + "\r\n", "400 200", "GET /api/v2/version"},
		{"a Bearer that is none", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAuthorization: Bearer x\r\n\r\n", "403 200", "GET /api/v2/version"},
		{"a name that is not UTF-8", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAuthorization: Basic /2E6Yg==\r\n\r\n", "401 200", "GET /api/v2/version"},
		{"a control character in the name", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAuthorization: Basic dmlld2VyDQo6dmlld2Vy\r\n\r\n", "401 200", "GET /api/v2/version"},
		{"1 MiB of Authorization", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAuthorization: Basic " + strings.Repeat("QUFB", 1<<18) + "\r\n\r\n", "431", ""},
		{"100 KiB of Authorization", "GET /api/v2/dags HTTP/1.1\r\nHost: h000\r\nAuthorization: Bearer " + strings.Repeat("QUFB", 25<<10) + "\r\n\r\n", "403 200", "GET /api/v2/version"},
		{"10,000 headers", "GET /page HTTP/1.1\r\nHost: h000\r\n" + strings.Repeat("X-Padding-Header: y\r\n", 10000) + "\r\n", "431", ""},
		{"a header's name of 1 MiB", "GET /page HTTP/1.1\r\nHost: h000\r\n" + strings.Repeat("x", 1<<20) + ": y\r\n\r\n", "431", ""},
		{"a path of 1 MiB", "GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: h000\r\n\r\n", "431", ""},
		{"a path of 20 KiB", "GET /api/v2/dags/" + strings.Repeat("%2F", 7000) + " HTTP/1.1\r\nHost: h000\r\n" + viewer + "\r\n", "400 200", "GET /api/v2/version"},
	},
)

// disguised are probes of Transfer-Encoding in disguise: beside the length that a
// server would go by which does not see it, and alone.
func disguised() (all []probe) {
	for _, d := range []struct{ header, beside, besideCame, alone, aloneCame string }{
		{"Transfer-Encoding: xchunked", "501", "", "501", ""},
		{"Transfer-Encoding: identity", "501", "", "501", ""},
		{"Transfer-Encoding: chunked, identity", "501", "", "501", ""},
		{"Transfer-Encoding: gzip, chunked", "501", "", "501", ""},
		{"Transfer-Encoding:\tchunked", "200", "POST /api/v2/dags", "200", "POST /api/v2/dags"},
		{"Transfer-Encoding : chunked", "400", "", "400", ""},
		{" Transfer-Encoding: chunked", "200 200", "POST /api/v2/dags | GET /api/v2/version", "200 400", "POST /api/v2/dags"},
		{"Transfer-Encoding\t: chunked", "400", "", "400", ""},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "501", "", "501", ""},
		{"Transfer-Encoding:\r\n chunked", "200", "POST /api/v2/dags", "200", "POST /api/v2/dags"},
		{"Transfer-Encoding: \x0bchunked", "400", "", "400", ""},
		{"Transfer-Encoding: \"chunked\"", "501", "", "501", ""},
		{"X: a\rTransfer-Encoding: chunked", "400", "", "400", ""},
		{"X: a\nTransfer-Encoding: chunked", "200", "POST /api/v2/dags", "200", "POST /api/v2/dags"},
		{"Transfer-Encoding: chunked;a=b", "501", "", "501", ""},
		{"Transfer_Encoding: chunked", "200 200", "POST /api/v2/dags | GET /api/v2/version", "200 400", "POST /api/v2/dags"},
		{"Transfer-Encoding: \x00chunked", "400", "", "400", ""},
		{"tRANSFER-eNCODING: ChUnKeD", "200", "POST /api/v2/dags", "200", "POST /api/v2/dags"},
		{"Transfer-Encod\u0130ng: chunked", "400", "", "400", ""},
	} {
		all = append(all,
			probe{fmt.Sprintf("beside a length: %q", d.header), posted + d.header + "\r\nContent-Length: 50\r\n\r\n0\r\n\r\n" + inner, d.beside, d.besideCame},
			probe{fmt.Sprintf("alone: %q", d.header), posted + d.header + "\r\n\r\n0\r\n\r\n" + inner, d.alone, d.aloneCame})
	}
	return all
}
