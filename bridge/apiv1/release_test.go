package apiv1

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestReleaseOf(t *testing.T) {
	for text, want := range map[string]release{
		"3.1.8": {3, 1, 8}, "3.2.0rc1": {3, 2, 0}, "3.4.0.dev0": {3, 4, 0}, "3.4": {3, 4, 0}, "4": {4, 0, 0}, "3.10.12+local": {3, 10, 12},
	} {
		if got, err := releaseOf(text); err != nil || got != want {
			t.Errorf("%s is %v: %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "3.", "3.x.1", "99999999999999999999.1"} {
		if got, err := releaseOf(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	if !(release{3, 0, 6}).before(release{3, 1, 0}) || (release{3, 1, 0}).before(release{3, 1, 0}) || (release{3, 10, 0}).before(release{3, 2, 9}) {
		t.Error("releases are not compared number by number")
	}
}

// TestReleaseIsWatched: the upstream is asked once, again after a while, and
// believed to be what it was while it does not answer.
func TestReleaseIsWatched(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	version, calls, down := "3.1.0", 0, false
	h := newHandler(t, asked(func(r *http.Request) (*http.Response, error) {
		if calls++; down {
			return nil, errors.New("gone")
		}
		return response(r, `200`+"\n\n"+`{"version":"`+version+`"}`)
	}))
	h.now = func() time.Time { return now }
	for _, step := range []struct {
		later   time.Duration
		version string
		down    bool
		want    release
		calls   int
	}{
		{0, "3.1.0", true, release{}, 1},
		{0, "3.1.0", false, release{3, 1, 0}, 2},
		{recheck / 2, "3.2.0", false, release{3, 1, 0}, 2},
		{recheck, "3.2.0", false, release{3, 2, 0}, 3},
		{recheck, "3.2.0", true, release{3, 2, 0}, 4},
		{time.Second, "3.3.0", false, release{3, 2, 0}, 4},
	} {
		now = now.Add(step.later)
		version, down = step.version, step.down
		r, _ := http.NewRequest("GET", "/", nil)
		got, err := (&call{Handler: h, r: r}).release()
		if got != step.want || calls != step.calls || (err != nil) != (step.want == release{}) {
			t.Errorf("%+v: %v after %d calls: %v", step, got, calls, err)
		}
	}
}
