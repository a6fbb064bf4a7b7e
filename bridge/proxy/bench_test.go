package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/record"
)

// BenchmarkProxy sets the proxy beside httputil.ReverseProxy alone, over real
// connections and with the same headers.
func BenchmarkProxy(b *testing.B) {
	answer := make([]byte, 2000)
	up := serve(b, func(w http.ResponseWriter, _ *http.Request) { w.Write(answer) })
	u, err := url.Parse(up)
	if err != nil {
		b.Fatal(err)
	}
	tr := proxy.NewTransport(proxy.TransportConfig{})
	b.Cleanup(tr.CloseIdleConnections)

	bare := &httputil.ReverseProxy{
		Rewrite:    func(pr *httputil.ProxyRequest) { pr.SetURL(u) },
		Transport:  tr,
		BufferPool: buffers{new(sync.Pool)},
	}
	p, err := proxy.New(proxy.Config{Upstream: u, Transport: tr})
	if err != nil {
		b.Fatal(err)
	}
	d := minted("t")
	d.Set["X-Forwarded-For"] = []string{"192.0.2.1"}
	ours := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := record.With(r.Context(), new(record.Record))
		p.ServeHTTP(w, r.WithContext(bridge.WithDecision(ctx, d)))
	})
	b.Run("bare", func(b *testing.B) { load(b, bare) })
	b.Run("ours", func(b *testing.B) { load(b, ours) })
}

func load(b *testing.B, h http.Handler) {
	s := httptest.NewServer(h)
	defer s.Close()
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	defer tr.CloseIdleConnections()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest("GET", s.URL+"/api/v2/dags?limit=1", nil)
			req.Header.Set("Authorization", "Bearer t")
			req.Header.Set("X-Forwarded-For", "192.0.2.1")
			res, err := tr.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	})
}

type buffers struct{ *sync.Pool }

func (b buffers) Get() []byte {
	if v, ok := b.Pool.Get().(*[]byte); ok {
		return *v
	}
	return make([]byte, 32<<10)
}

func (b buffers) Put(v []byte) { b.Pool.Put(&v) }
