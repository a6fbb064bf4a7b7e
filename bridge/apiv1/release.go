package apiv1

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
)

// recheck is how long an upstream's release is believed before it is asked again:
// it may be upgraded, or replaced, while the bridge runs.
const recheck = time.Minute

// A release of Airflow 3: 3.1.8 is {3, 1, 8}.
type release [3]int

// before says whether r is older than other.
func (r release) before(other release) bool { return slices.Compare(r[:], other[:]) < 0 }

// releases remembers the upstream's.
type releases struct {
	mu    sync.Mutex
	known release
	asked time.Time
}

// release is the upstream's. It is asked once, and again from time to time; an
// upstream that does not answer then is believed to be what it was.
func (c *call) release() (release, error) {
	rs := &c.Handler.releases
	rs.mu.Lock()
	known, fresh := rs.known, c.now().Sub(rs.asked) < recheck
	rs.mu.Unlock()
	if fresh && known != (release{}) {
		return known, nil
	}
	found, err := c.askRelease()
	if err != nil && known != (release{}) {
		found, err = known, nil
	}
	if err == nil {
		rs.mu.Lock()
		rs.known, rs.asked = found, c.now()
		rs.mu.Unlock()
	}
	return found, err
}

func (c *call) askRelease() (release, error) {
	public := *c
	public.d.Verdict = bridge.PassAsIs // nobody's token is needed there
	var answer struct{ Version string }
	res, err := public.send(c.r.Context(), request{method: http.MethodGet, path: v2Prefix + "/version"})
	if err != nil {
		return release{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil {
		return release{}, err
	}
	if res.StatusCode != http.StatusOK || json.Unmarshal(text, &answer) != nil {
		return release{}, errSyntax
	}
	return releaseOf(answer.Version)
}

// releaseOf reads a version such as 3.1.8, 3.2.0rc1 or 3.4.0.dev0: what follows the
// numbers does not count.
func releaseOf(version string) (r release, err error) {
	for i, part := range strings.SplitN(version, ".", len(r)+1)[:min(len(r), strings.Count(version, ".")+1)] {
		digits := len(part) - len(strings.TrimLeft(part, "0123456789"))
		if r[i], err = strconv.Atoi(part[:digits]); err != nil {
			return release{}, errSyntax
		}
	}
	return r, nil
}
