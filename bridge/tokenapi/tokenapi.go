// Package tokenapi answers POST /auth/token and /auth/token/cli: a token for
// whoever proves who he is, in any way that the configuration leaves open.
//
// A legacy credential in the header with an empty body is judged by the bridge;
// that is how a Kerberos client gets its token. A user and password in the body
// are judged by the bridge or by Airflow 3, as configured; what the bridge does
// not understand in a body, and whom it does not let in, is Airflow 3's to answer.
// Answers have the shape of Airflow 3's: 201 {"access_token": …}.
package tokenapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/record"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/legacy"
)

// Config is what a Handler needs. Core, Upstream and the lifetimes are required.
type Config struct {
	Core *bridge.Core
	// Upstream forwards a request that Airflow 3 shall answer itself; it finds
	// the decision in the request's context.
	Upstream http.Handler
	// Lifetime and CLILifetime are those of tokens from /auth/token and
	// /auth/token/cli, as Airflow's jwt_expiration_time and jwt_cli_expiration_time.
	Lifetime, CLILifetime time.Duration
	// Bridge makes the bridge judge passwords in a body; false leaves them to
	// Airflow 3.
	Bridge bool
}

// Handler answers the token API. It is safe for concurrent use.
type Handler struct{ Config }

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Core == nil || cfg.Upstream == nil || cfg.Lifetime <= 0 || cfg.CLILifetime <= 0 {
		return nil, errors.New("tokenapi: Core, Upstream and positive lifetimes are required")
	}
	return &Handler{cfg}, nil
}

// maxBody bounds a body that is read to find a password in it.
const maxBody = 64 << 10

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ask := bridge.RequestOf(r, record.From(r.Context()).ID)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		h.refused(w, r, ask, tooLarge(err))
		return
	}
	var cred legacy.Credential // the request's own
	switch {
	case len(body) == 0 && h.Core.CarriesJWT(r.Header):
		h.upstream(w, r, body) // a token proves nothing here: it would renew itself for ever
		return
	case len(body) > 0:
		var ok bool
		if cred, ok = h.password(r.Header.Get("Content-Type"), body); !ok {
			h.upstream(w, r, body)
			return
		}
	}
	id, no := h.Core.Authenticate(r.Context(), ask, cred)
	h.note(r, id, no)
	for name, values := range id.Reply {
		w.Header()[name] = append(w.Header()[name], values...)
	}
	switch {
	case no == nil:
		h.issue(w, r, ask, id)
	case len(body) > 0 && (no.Problem.Status == http.StatusUnauthorized || no.Problem.Status == http.StatusForbidden):
		// Airflow 3 answers whoever the bridge would not: it may know the user,
		// and nobody can tell from the answer whether the bridge does.
		h.upstream(w, r, body)
	default:
		h.refused(w, r, ask, no)
	}
}

// password finds the user and password of a body, as the Basic credential that
// they amount to. Whatever else is in a body is for Airflow 3 to judge.
func (h *Handler) password(contentType string, body []byte) (legacy.Credential, bool) {
	if !h.Bridge || !isJSON(contentType) {
		return legacy.Credential{}, false
	}
	var in map[string]json.RawMessage // names in exact letters, the last of a name, as Airflow reads them
	var username, password string
	if json.Unmarshal(body, &in) != nil || json.Unmarshal(in["username"], &username) != nil || json.Unmarshal(in["password"], &password) != nil {
		return legacy.Credential{}, false
	}
	if username == "" || password == "" {
		return legacy.Credential{}, false
	}
	return legacy.PasswordCredential(username, password)
}

// isJSON says what FastAPI takes for JSON.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	subtype, ok := strings.CutPrefix(kind, "application/")
	return err == nil && ok && (subtype == "json" || strings.HasSuffix(subtype, "+json"))
}

// issue answers with a token of its own, used by nobody else.
func (h *Handler) issue(w http.ResponseWriter, r *http.Request, ask bridge.Request, id bridge.Identity) {
	lifetime := h.Lifetime
	if bridge.DecisionFrom(r.Context()).Target.Endpoint == route.TokenCLI {
		lifetime = h.CLILifetime
	}
	token, claims, no := h.Core.Issue(id.Claims, lifetime)
	if no != nil {
		h.refused(w, r, ask, no)
		return
	}
	rec := record.From(r.Context())
	rec.Subject, rec.TokenID = claims.Subject, claims.ID
	body, err := json.Marshal(struct {
		AccessToken string `json:"access_token"`
	}{token})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // RFC 6749 section 5.1
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(body) // the client's going away is nobody's error
}

// upstream lets Airflow 3 answer, the body as it came.
func (h *Handler) upstream(w http.ResponseWriter, r *http.Request, body []byte) {
	rec := record.From(r.Context())
	rec.Origin, rec.Reason, rec.Err = "", "", ""
	d := bridge.DecisionFrom(r.Context())
	d.Verdict = bridge.PassAsIs
	rec.Verdict = d.Verdict.String()
	r = r.WithContext(bridge.WithDecision(r.Context(), d))
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	h.Upstream.ServeHTTP(w, r)
}

func (h *Handler) refused(w http.ResponseWriter, r *http.Request, ask bridge.Request, no *bridge.Refusal) {
	d := h.Core.Refused(ask, bridge.DecisionFrom(r.Context()), no)
	bridge.Note(record.From(r.Context()), ask, d)
	bridge.WriteRefusal(w, r.Method, "", d)
}

func (h *Handler) note(r *http.Request, id bridge.Identity, no *bridge.Refusal) {
	rec := record.From(r.Context())
	rec.Scheme, rec.Name, rec.Subject = string(id.Principal.Scheme), id.Principal.Name, id.Claims.Subject
	if no != nil {
		rec.Reason = no.Reason
	}
}

func tooLarge(err error) *bridge.Refusal {
	status, detail := http.StatusBadRequest, "The body could not be read."
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		status, detail = http.StatusRequestEntityTooLarge, "The body is larger than any user and password."
	}
	return bridge.NewRefusal(status, record.BadRequest, err, detail)
}
