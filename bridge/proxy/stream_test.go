package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/proxy"
)

// TestInformationalAnswers: what is for the client survives the upstream's 1xx.
func TestInformationalAnswers(t *testing.T) {
	up := serveRaw(t, func(c net.Conn, r *bufio.Reader, _ string) {
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
		if body, err := io.ReadAll(io.LimitReader(r, 4)); err != nil || string(body) != "body" {
			t.Errorf("the upstream read %q, %v", body, err)
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	for _, verdict := range []bridge.Verdict{bridge.PassAsIs, bridge.PassMinted} {
		d := bridge.Decision{Verdict: verdict, Client: http.Header{"Deprecation": {"@1"}}}
		f := newFront(t, up, d, proxy.Config{})
		var seen []int
		var hint string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				if seen = append(seen, code); code == http.StatusEarlyHints {
					hint = h.Get("Link")
				}
				return nil
			},
		})
		req := newRequest(t, "POST", f.URL, strings.NewReader("body")).WithContext(ctx)
		req.Header.Set("Expect", "100-continue")
		tr := &http.Transport{ExpectContinueTimeout: time.Minute}
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		tr.CloseIdleConnections()
		if diff := cmp.Diff([]int{100, 103}, seen); diff != "" || hint != "</style.css>; rel=preload" {
			t.Errorf("%v: early answers: %s, hint %q", verdict, diff, hint)
		}
		if got := res.Header.Get("Deprecation"); got != "@1" || res.Header.Get("Link") != "" {
			t.Errorf("%v: final header %v", verdict, res.Header)
		}
	}
}

// TestFlush: an answer that trickles reaches the client as it comes.
func TestFlush(t *testing.T) {
	for _, contentType := range []string{"text/event-stream", "application/x-ndjson", "text/plain"} {
		t.Run(contentType, func(t *testing.T) {
			more := make(chan bool)
			up := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", contentType)
				for range more {
					io.WriteString(w, "line\n")
					w.(http.Flusher).Flush()
				}
			})
			f := newFront(t, up, asIs(), proxy.Config{})
			go func() { more <- true }()
			res, err := http.DefaultTransport.RoundTrip(newRequest(t, "GET", f.URL, nil))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := bufio.NewScanner(res.Body)
			for n := range 3 {
				if n > 0 {
					more <- true
				}
				if !lines.Scan() || lines.Text() != "line" {
					t.Fatalf("read %q, %v", lines.Text(), lines.Err())
				}
			}
			close(more)
			if lines.Scan() || lines.Err() != nil {
				t.Errorf("the end: %q, %v", lines.Text(), lines.Err())
			}
		})
	}
}

// TestBothWays: the second half of a request may depend on the answer to the first.
func TestBothWays(t *testing.T) {
	up := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			io.WriteString(w, "echo "+lines.Text()+"\n")
			w.(http.Flusher).Flush()
		}
	})
	for _, verdict := range []bridge.Verdict{bridge.PassAsIs, bridge.PassMinted} {
		f := newFront(t, up, bridge.Decision{Verdict: verdict}, proxy.Config{})
		body, write := io.Pipe()
		go io.WriteString(write, "1\n")
		res, err := http.DefaultTransport.RoundTrip(newRequest(t, "POST", f.URL, body))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		for _, next := range []string{"2\n", "3\n", ""} {
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), "echo ") {
				t.Fatalf("read %q, %v", lines.Text(), lines.Err())
			}
			if next != "" {
				io.WriteString(write, next)
			}
		}
		write.Close()
		if lines.Scan() {
			t.Errorf("read %q after the end", lines.Text())
		}
		res.Body.Close()
	}
}

// TestWebSocketUntouched: a conversation passes while the bridge only observes.
func TestWebSocketUntouched(t *testing.T) {
	up := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		if err := c.Write(r.Context(), websocket.MessageText, []byte(r.Header.Get("Cookie"))); err != nil {
			t.Error(err)
		}
	})
	f := newFront(t, up, bridge.Decision{Verdict: bridge.PassUntouched}, proxy.Config{})
	c, _, err := websocket.Dial(t.Context(), f.URL, &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {"session=a; _token=b"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if _, got, err := c.Read(t.Context()); err != nil || string(got) != "session=a; _token=b" {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestWebSocket(t *testing.T) {
	left := make(chan error, 1)
	up := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer minted" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil {
				left <- err
				return
			}
			if err := c.Write(r.Context(), kind, append([]byte("echo "), message...)); err != nil {
				t.Error(err)
			}
		}
	})
	d := minted("minted")
	d.Client = http.Header{"Deprecation": {"@1"}}
	f := newFront(t, up, d, proxy.Config{})
	c, res, err := websocket.Dial(t.Context(), f.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("Deprecation") != "@1" {
		t.Errorf("the answer's header is %v", res.Header)
	}
	for _, message := range []string{"a", strings.Repeat("b", 30_000)} {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != "echo "+message {
			t.Fatalf("read %.20q, %v", got, err)
		}
	}
	c.CloseNow()
	if err := <-left; err == nil {
		t.Error("the upstream did not see the client leave")
	}
	if rec := <-f.records; rec.Err != "" || rec.Origin != "upstream" || rec.Status != 101 {
		t.Errorf("recorded %+v", rec)
	}
}

// TestCut: a stream that the upstream cuts, or frames as nobody can read it, stays
// cut, and its client's connection ends with it.
func TestCut(t *testing.T) {
	for name, test := range map[string]struct{ answer, cause string }{
		"length":             {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "the connection was closed too early"},
		"chunked":            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "the connection was closed too early"},
		"within a chunk":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", "the connection was closed too early"},
		"no chunk":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\ns3cret\r\n", "invalid byte in chunk length"},
		"a chunk too large":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nffffffffffffffffff\r\n", "http chunk length too large"},
		"a chunk too long":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf s3cret\r\n0\r\n\r\n", "malformed chunked encoding"},
		"an endless trailer": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX: " + strings.Repeat("s3cret", 100_000), "http: suspiciously long trailer after chunked body"},
	} {
		t.Run(name, func(t *testing.T) {
			up := serveRaw(t, func(c net.Conn, _ *bufio.Reader, _ string) { io.WriteString(c, test.answer) })
			f := newFront(t, up, asIs(), proxy.Config{})
			_, r := sendRaw(t, f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			res, err := http.ReadResponse(r, nil)
			if err == nil {
				_, err = io.ReadAll(res.Body)
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("the client saw %v", err)
			}
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("the client's connection goes on: %v", err)
			}
			if rec := <-f.records; rec.Err != "the upstream cut its answer: "+test.cause {
				t.Errorf("recorded %q", rec.Err)
			}
		})
	}
}

// TestSurplus: what an upstream sends beyond its answer is nobody's answer.
func TestSurplus(t *testing.T) {
	const own = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"
	up := serveRaw(t, func(c net.Conn, r *bufio.Reader, head string) {
		for ; head != ""; head = readHead(r) {
			io.WriteString(c, own+"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled")
		}
	})
	f := newFront(t, up, asIs(), proxy.Config{})
	log.SetOutput(io.Discard) // net/http writes each surplus that it finds
	defer log.SetOutput(os.Stderr)
	for range 300 { // it takes a request that comes before net/http has looked
		if _, body := do(t, newRequest(t, "GET", f.URL, nil)); body != "mine" {
			t.Fatalf("a client got %q", body)
		}
	}
}

func TestClientLeaves(t *testing.T) {
	for _, begun := range []bool{false, true} {
		ctx, leave := context.WithCancel(t.Context())
		cancelled := make(chan bool)
		up := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if begun {
				io.WriteString(w, "begun")
				w.(http.Flusher).Flush()
			} else {
				leave()
			}
			<-r.Context().Done()
			close(cancelled)
		})
		f := newFront(t, up, asIs(), proxy.Config{})
		res, err := http.DefaultTransport.RoundTrip(newRequest(t, "GET", f.URL, nil).WithContext(ctx))
		if (err == nil) != begun {
			t.Fatalf("begun %v: %v", begun, err)
		}
		if begun {
			leave()
			res.Body.Close()
		}
		<-cancelled
		if rec := <-f.records; rec.Err != "the client left" || rec.Reason != "" {
			t.Errorf("begun %v: recorded %q, %q", begun, rec.Err, rec.Reason)
		}
	}
}

func TestTrailers(t *testing.T) {
	heads := make(chan http.Header, 1)
	up := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		io.Copy(io.Discard, r.Body)
		heads <- r.Trailer
		io.WriteString(w, "body")
		w.Header().Set("X-Announced", "1")
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	})
	f := newFront(t, up, asIs(), proxy.Config{})
	req := newRequest(t, "POST", f.URL, io.MultiReader(strings.NewReader("body")))
	req.Trailer = http.Header{"X-Remote-User": {"mallory"}}
	res, _ := do(t, req)
	if diff := cmp.Diff(http.Header{"X-Announced": {"1"}, "X-Late": {"2"}}, res.Trailer); diff != "" {
		t.Error(diff)
	}
	// A server that appends trailers to the headers, as uvicorn does, must not
	// find an identity there.
	if got := <-heads; len(got) != 0 {
		t.Errorf("the upstream saw the trailers %v", got)
	}
}

// TestConstantMemory: what flows through is not kept, in either direction.
func TestConstantMemory(t *testing.T) {
	const size, allowed = 64 << 20, 8 << 20
	up := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if r.Method == "POST" && (n != size || err != nil) {
			t.Errorf("the upstream read %d bytes, %v", n, err)
		}
		if r.Method == "GET" {
			io.CopyN(w, zeros{}, size)
		}
	})
	d := minted("t")
	f := newFront(t, up, d, proxy.Config{})
	upload := newRequest(t, "POST", f.URL, io.LimitReader(zeros{}, size))
	known := newRequest(t, "POST", f.URL, io.LimitReader(zeros{}, size))
	known.ContentLength = size
	for name, req := range map[string]*http.Request{
		"upload": upload, "upload of known length": known, "download": newRequest(t, "GET", f.URL, nil),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		runtime.ReadMemStats(&after)
		if err != nil || req.Method == "GET" && n != size {
			t.Errorf("%s: the client read %d bytes, %v", name, n, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > allowed {
			t.Errorf("%s: %d bytes allocated for %d that flowed", name, used, size)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
