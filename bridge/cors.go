package bridge

import (
	"net/http"
	"slices"
	"strings"

	"github.com/jetbridge/jetbridge/bridge/route"
)

// CORS is one Airflow's [api] access_control_allow_*: what it lets scripts of
// other origins do. The zero value lets them do nothing.
type CORS struct {
	Origins []string // exact origins; "*" for any, in Airflow 2 alone
	Methods string   // as configured
	Headers string   // as configured
}

func (c CORS) none() bool { return len(c.Origins) == 0 && c.Methods == "" && c.Headers == "" }

// protection is Go's guard against requests from other origins, with those that
// the operator lets in.
func protection(lists ...CORS) *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for _, c := range lists {
		for _, origin := range c.Origins {
			// "*" lets scripts read, never act for a browser's user. What else is
			// no origin is never the Origin of a request, and trusts nobody.
			_ = p.AddTrustedOrigin(origin)
		}
	}
	return p
}

// cors are the headers that the bridge's own answers carry for scripts of other
// origins, so that these can read a refusal as they could Airflow's.
func (c *Core) cors(r Request, t route.Target) http.Header {
	if t.V1 {
		return c.CORS2.airflow2(r.Header.Get("Origin"))
	}
	return c.CORS3.airflow3(r.Header.Get("Origin"))
}

// airflow2 follows airflow/www/extensions/init_views.py of 2.4 to 2.11: the
// settings verbatim, the first origin for a request that names none.
func (c CORS) airflow2(origin string) http.Header {
	h := http.Header{}
	if c.Headers != "" {
		h["Access-Control-Allow-Headers"] = []string{c.Headers}
	}
	if c.Methods != "" {
		h["Access-Control-Allow-Methods"] = []string{c.Methods}
	}
	switch {
	case slices.Contains(c.Origins, "*"):
		h["Access-Control-Allow-Origin"] = []string{"*"}
	case origin == "" && len(c.Origins) > 0:
		h["Access-Control-Allow-Origin"] = []string{c.Origins[0]}
	case slices.Contains(c.Origins, origin):
		h["Access-Control-Allow-Origin"] = []string{origin}
	}
	return h
}

// airflow3 follows Starlette's CORSMiddleware with credentials allowed, which
// Airflow adds once one of the three settings is there.
func (c CORS) airflow3(origin string) http.Header {
	h := http.Header{}
	if origin == "" || c.none() {
		return h
	}
	h["Access-Control-Allow-Credentials"] = []string{"true"}
	if slices.Contains(c.Origins, origin) {
		h["Access-Control-Allow-Origin"] = []string{origin}
		h["Vary"] = []string{"Origin"}
	}
	return h
}

// v1Methods is what an OPTIONS on /api/v1 is told.
var v1Methods = []string{strings.Join([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, ", ")}

// preflight never refuses: a browser asks without credentials whether it may
// ask. Airflow 3 answers for its own API, the bridge for the one that is gone.
func (c *Core) preflight(r Request, d *Decision) {
	if d.Target.V1 {
		d.Verdict, d.Status = Answer, http.StatusOK
		d.Client["Allow"] = v1Methods
		addAll(d.Client, c.cors(r, d.Target))
		return
	}
	d.Verdict = PassAsIs
	d.Remove = append(d.Remove, "Authorization")
	d.setCookies(r.Header, c.authCookies()...)
}
