package openid_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jetbridge/jetbridge/legacy/openid"
	"github.com/jetbridge/jetbridge/legacy/openid/openidtest"
)

// trips answers what is fetched without a network.
type trips func(*http.Request) (*http.Response, error)

func (f trips) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestRun: keys are fetched at once, again every half hour, and every half minute
// while they cannot be, whatever becomes of another issuer's; who asked to be told
// hears once of each turn.
func TestRun(t *testing.T) {
	keys := string(openidtest.New(t).Keys())
	synctest.Test(t, func(t *testing.T) {
		var fetched []time.Duration
		var told []bool // that it can be asked
		var down atomic.Bool
		down.Store(true)
		start := time.Now()
		a, err := openid.New(openid.Config{
			Issuers: []openid.Issuer{
				{URL: "https://idp.example", Audience: []string{"a"}, Keys: "https://idp.example/keys"},
				{URL: "https://silent.example", Audience: []string{"a"}},
			},
			Client: &http.Client{Transport: trips(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == "silent.example" {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				fetched = append(fetched, time.Since(start))
				if down.Load() {
					return nil, errors.New("no route")
				}
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(keys)), Request: r}, nil
			})},
			Failed: func(issuer string, err error) {
				if issuer == "https://idp.example" {
					told = append(told, err == nil)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { a.Run(ctx); close(ended) }()

		time.Sleep(65 * time.Second) // of the bubble's
		synctest.Wait()
		if states := a.States(); states[0].Keys != 0 || states[0].Err == nil {
			t.Errorf("while it is down: %+v", states)
		}
		down.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if states := a.States(); states[0].Keys != 2 || states[0].Err != nil {
			t.Errorf("when it is back: %+v", states)
		}
		cancel()
		<-ended
		const s, m = time.Second, time.Minute
		if want := []time.Duration{0, 30 * s, 60 * s, 90 * s, 31*m + 30*s}; !slices.Equal(fetched, want) {
			t.Errorf("fetched at %v, want %v", fetched, want)
		}
		if want := []bool{false, true}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}
