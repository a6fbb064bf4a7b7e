package login

import (
	"mime"
	"net/http"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/legacy/session"
)

// maxBody bounds a posted form: more than any name, password and token.
const maxBody = 64 << 10

// A form is what a client posted. Fields that are not there are empty; of those that
// are there twice, the first counts, as for Airflow.
type form struct {
	username, password, token string
}

// posted reads a form that counts: of our own origin, bounded, with the token of
// the session that it came with. The visit is there, with a refusal too, once it is
// known.
func (h *Handler) posted(w http.ResponseWriter, r *http.Request, ask bridge.Request) (*session.Visit, form, *refusal) {
	if no := h.sameOrigin(ask); no != nil {
		return nil, form{}, no
	}
	visit, err := h.Logins.Visit(r)
	if err != nil {
		return nil, form{}, refusalOf(err)
	}
	f, no := read(w, r)
	switch {
	case no != nil:
	case visit.Foreign:
		no = refusalOf(session.ErrForeign)
	case f.token == "":
		no = badToken("The CSRF token is missing.")
	case visit.Cookie == "":
		no = badToken("The CSRF session token is missing.")
	case visit.Check(f.token) != nil:
		no = badToken("The CSRF token is invalid.")
	}
	return visit, f, no
}

// read reads the body of a form, of either kind that HTML knows, and nothing of the
// query. A token may be in the headers that Flask-WTF looks at.
func read(w http.ResponseWriter, r *http.Request) (form, *refusal) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	alone := *r.URL // ParseForm would read the query too, and fail at it
	alone.RawQuery = ""
	r.URL = &alone
	var err error
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/x-www-form-urlencoded":
		err = r.ParseForm()
	case "multipart/form-data":
		err = r.ParseMultipartForm(maxBody)
	default:
		if r.ContentLength != 0 {
			return form{}, notAForm()
		}
	}
	if err != nil {
		return form{}, badBody(err)
	}
	f := form{r.PostForm.Get("username"), r.PostForm.Get("password"), r.PostForm.Get("csrf_token")}
	for _, name := range []string{"X-Csrftoken", "X-Csrf-Token"} {
		if f.token == "" {
			f.token = r.Header.Get(name)
		}
	}
	return f, nil
}
