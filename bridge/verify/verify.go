// Package verify answers GET /auth/verify: for a gateway that asks before it
// forwards, and for a service that wants to know who a request is. It puts the
// question to the decision core that the proxy obeys, so both give the same
// verdict.
//
// A peer that is a trusted proxy names the original request, by X-Original-Method
// and X-Original-URI (nginx) or X-Forwarded-Method and X-Forwarded-Uri (Traefik,
// Caddy). From anybody else the credential alone is judged, as on a dual route.
//
// A 200 carries what the gateway must send on, Authorization and Cookie; one
// that is missing there must not be sent on at all. Who it is stands in the body
// and, where a header can hold it, in X-Jetbridge-Principal, -Subject and -Scheme.
//
// What a gateway cannot carry out is refused: a header that claims an identity,
// which only the proxy can remove whatever its spelling (400), and /api/v1,
// which only the proxy translates (404).
package verify

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/problem"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
)

// Config is what a Handler needs. Core is required.
type Config struct {
	Core *bridge.Core
	// BasePath is the path below which Airflow 3 is served; empty for the root.
	BasePath string
	// Version of Airflow 2 that refusals on /api/v1 speak as.
	Version string
}

// Handler answers /auth/verify. It is safe for concurrent use.
type Handler struct{ Config }

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Core == nil {
		return nil, errors.New("verify: Core is required")
	}
	return &Handler{cfg}, nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	ask := bridge.RequestOf(r, rec.ID)
	d, no := h.judge(r, &ask)
	if no != nil {
		d = h.Core.Refused(ask, d, no)
	}
	bridge.Note(rec, ask, d)
	if d.Verdict == bridge.Refuse {
		bridge.WriteRefusal(w, r.Method, h.Version, d)
		return
	}
	if h.Core.Trusts(ask.Peer) {
		sendOn(w.Header(), r.Header, d)
	}
	answer(w, d)
}

// judge asks the core about the request that the gateway holds.
func (h *Handler) judge(r *http.Request, ask *bridge.Request) (bridge.Decision, *bridge.Refusal) {
	var d bridge.Decision
	if err := h.original(r, ask); err != nil {
		return d, bridge.NewRefusal(http.StatusBadRequest, record.BadGatewayHeaders, err,
			"The gateway must name the original request once: X-Original-Method and X-Original-URI, or X-Forwarded-Method and X-Forwarded-Uri.")
	}
	d = h.Core.Decide(r.Context(), *ask)
	switch {
	case d.Verdict == bridge.Refuse:
		return d, nil
	case d.Target.V1 && d.Target.Class != route.Public, d.Verdict == bridge.Answer:
		d.Dialect = problem.V2
		return d, bridge.NewRefusal(http.StatusNotFound, record.NeedsProxy, nil,
			"This path is answered by jetbridge itself: route it to the proxy instead of asking about it.")
	}
	for _, name := range d.Remove {
		if !gatewayHeader(name) {
			return d, bridge.NewRefusal(http.StatusBadRequest, record.ForbiddenHeader, nil,
				"The request carries a header that claims an identity, which a gateway cannot remove reliably.")
		}
	}
	return d, nil
}

// gatewayHeader says whether a header that must not reach the upstream as it
// came is one that the gateway itself sets, or one of the two that the answer
// replaces.
func gatewayHeader(name string) bool {
	switch name {
	case "Authorization", "Cookie", "X-Request-Id", "Forwarded", "X-Real-Ip",
		"X-Original-Method", "X-Original-Uri", "X-Original-Url",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Method", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Uri", "X-Forwarded-Ssl", "X-Forwarded-Scheme":
		return true
	}
	return false
}

// original turns ask into the request that the gateway names. Whoever is not
// trusted is asked about a credential, not about a path.
func (h *Handler) original(r *http.Request, ask *bridge.Request) error {
	ask.Method, ask.RawPath, ask.RawQuery = http.MethodGet, h.BasePath+"/api/v2/", ""
	if !h.Core.Trusts(ask.Peer) {
		return nil
	}
	method, target, err := named(r.Header)
	if err != nil {
		return err
	}
	ask.Method = method
	ask.RawPath, ask.RawQuery, _ = strings.Cut(target, "?")
	return nil
}

// named reads the one pair of headers that names the original request. Two
// pairs must agree, or the gateway and we would speak of different requests (C-05).
func named(h http.Header) (method, target string, err error) {
	for _, pair := range [][2]string{{"X-Original-Method", "X-Original-Uri"}, {"X-Forwarded-Method", "X-Forwarded-Uri"}} {
		methods, targets := h[pair[0]], h[pair[1]]
		if len(methods) == 0 && len(targets) == 0 {
			continue
		}
		if len(methods) != 1 || len(targets) != 1 {
			return "", "", errors.New(pair[0] + " and " + pair[1] + " must come once each")
		}
		if method != "" && (method != methods[0] || target != targets[0]) {
			return "", "", errors.New("two pairs of headers name different requests")
		}
		method, target = methods[0], targets[0]
	}
	if !token(method) || !strings.HasPrefix(target, "/") {
		return "", "", errors.New("the original request is not named, or unparsable")
	}
	return method, target, nil
}

// token says whether s is a method (RFC 9110 section 9.1), in the capitals that
// every real one has.
func token(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// sendOn says with which credential the gateway must send the request on.
func sendOn(out, in http.Header, d bridge.Decision) {
	for _, name := range []string{"Authorization", "Cookie"} {
		if values := d.Upstream(in, name); len(values) > 0 {
			out[name] = []string{strings.Join(values, "; ")}
		}
	}
}

// answer says 200 and who it is.
func answer(w http.ResponseWriter, d bridge.Decision) {
	out := w.Header()
	for name, values := range d.Client {
		out[name] = append(out[name], values...)
	}
	who := identity{
		Principal: d.Principal.Name, Subject: d.Claims.Subject, Scheme: string(d.Scheme), Class: string(d.Target.Class),
	}
	if !d.Claims.ExpiresAt.IsZero() {
		who.Expires = &d.Claims.ExpiresAt
	}
	say(out, "X-Jetbridge-Principal", who.Principal)
	say(out, "X-Jetbridge-Subject", who.Subject)
	say(out, "X-Jetbridge-Scheme", who.Scheme)
	out.Set("Content-Type", "application/json")
	out.Set("Cache-Control", "no-store")
	body, err := json.Marshal(who)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body) // the client's going away is nobody's error
}

// An identity is the body of a 200. Expires is when the token that goes
// upstream does.
type identity struct {
	Principal string     `json:"principal,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	Scheme    string     `json:"scheme,omitempty"`
	Class     string     `json:"class"`
	Expires   *time.Time `json:"expires,omitempty"`
}

// say puts a name into a header if a header can hold it as it is.
func say(h http.Header, name, value string) {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return
		}
	}
	if value != "" && strings.TrimSpace(value) == value {
		h.Set(name, value)
	}
}
