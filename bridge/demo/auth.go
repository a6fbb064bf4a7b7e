package demo

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// auth answers below /auth/, which is the auth manager's.
func (a *airflow) auth(w http.ResponseWriter, r *http.Request) {
	path, method := r.URL.Path, r.Method
	isToken := path == "/auth/token" || path == "/auth/token/cli"
	switch {
	case isToken && method == http.MethodPost:
		life := lifetime
		if path == "/auth/token/cli" {
			life = cliLifetime
		}
		a.token(w, r, life)
	case a.fab() && path == "/auth/logout" && method == http.MethodGet:
		deleteCookie(w, "session")
		deleteCookie(w, tokenCookie)
		redirect(w, "/auth/login/")
	case a.fab() && path == "/auth/login/":
		page(w, http.StatusOK, "Airflow - Login", "The demo's stand-in for Airflow 3 has no login form: get a token from POST /auth/token.")
	case a.fab():
		page(w, http.StatusNotFound, "Airflow 404", "Page not found")
	case path == "/auth/token" && method == http.MethodGet:
		detail(http.StatusForbidden, "This method is only allowed if ``[core] simple_auth_manager_all_admins`` is True").write(w)
	case method == http.MethodGet:
		page(w, http.StatusOK, "Airflow - Login", "The demo's stand-in for Airflow 3 has no login form: get a token from POST /auth/token.")
	default:
		w.Header().Set("Allow", http.MethodGet)
		if isToken {
			w.Header().Set("Allow", http.MethodPost)
		}
		detail(http.StatusMethodNotAllowed, "Method Not Allowed").write(w)
	}
}

// token gives a token for a name and a password in the body. No header counts.
func (a *airflow) token(w http.ResponseWriter, r *http.Request, life time.Duration) {
	var name, password string
	var bad *answer
	switch {
	case a.fab():
		name, password, bad = fabLogin(w, r)
	case life == lifetime:
		name, password, bad = simpleLogin(w, r)
	default:
		name, password, bad = simpleCLILogin(w, r)
	}
	if bad == nil && (name == "" || password == "") {
		bad = new(detail(http.StatusBadRequest, "Username and password must be provided"))
	}
	if bad != nil {
		bad.write(w)
		return
	}
	for _, u := range Users() {
		if a.named(u, name) && subtle.ConstantTimeCompare([]byte(u.Name), []byte(password)) == 1 {
			answer{http.StatusCreated, object{{"access_token", a.sign(a.claims(u), life)}}}.write(w)
			return
		}
	}
	detail(http.StatusUnauthorized, "Invalid credentials").write(w)
}

// named says whether a login name is u's: FAB ignores case and takes the e-mail.
func (a *airflow) named(u User, name string) bool {
	if a.fab() {
		return strings.EqualFold(name, u.Name) || strings.EqualFold(name, u.email())
	}
	return name == u.Name
}

// claims are what the auth manager's serialize_user says of u.
func (a *airflow) claims(u User) object {
	if a.fab() {
		return object{{"sub", u.subject()}}
	}
	return object{{"sub", u.Name}, {"role", strings.ToLower(u.Role)}, {"teams", []string{}}}
}

// fabLogin takes any JSON object, and fails late.
func fabLogin(w http.ResponseWriter, r *http.Request) (name, password string, bad *answer) {
	b, bad := readBody(w, r)
	if bad != nil {
		return "", "", bad
	}
	if b.missing {
		return "", "", new(invalid(missing(nil)))
	}
	members, ok := b.value.(map[string]any)
	if !ok {
		return "", "", new(invalid(fault("dict_type", "Input should be a valid dictionary", b.value)))
	}
	if !truthy(members["username"]) || !truthy(members["password"]) {
		return "", "", nil
	}
	name, ok1 := members["username"].(string)
	password, ok2 := members["password"].(string)
	if !ok1 || !ok2 {
		return "", "", new(crashed())
	}
	return name, password, nil
}

// simpleLogin takes JSON or a form, by the letter of its content type.
func simpleLogin(w http.ResponseWriter, r *http.Request) (name, password string, bad *answer) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch kind {
	case "", "application/json":
		b, broken := readBody(w, r)
		members, ok := b.value.(map[string]any)
		if broken != nil || !ok {
			return "", "", new(crashed())
		}
		return loginBody(members, "username", "password")
	case "application/x-www-form-urlencoded":
		b, broken := readBody(w, r)
		text, _ := b.value.(string)
		form, err := url.ParseQuery(text)
		if broken != nil || err != nil || !form.Has("username") || !form.Has("password") {
			return "", "", new(detail(http.StatusUnprocessableEntity, "validation errors for LoginBody"))
		}
		return form.Get("username"), form.Get("password"), nil
	}
	return "", "", new(detail(http.StatusUnsupportedMediaType, "Only application/json or application/x-www-form-urlencoded is supported"))
}

// loginBody wants two strings and nothing else.
func loginBody(members map[string]any, names ...string) (name, password string, bad *answer) {
	var values [2]string
	for i, n := range names {
		var ok bool
		if values[i], ok = members[n].(string); !ok {
			bad = new(detail(http.StatusUnprocessableEntity, "validation error for LoginBody: "+n))
		}
	}
	if len(members) > len(names) {
		bad = new(detail(http.StatusUnprocessableEntity, "validation error for LoginBody: Extra inputs are not permitted"))
	}
	return values[0], values[1], bad
}

// simpleCLILogin takes a strict JSON model.
func simpleCLILogin(w http.ResponseWriter, r *http.Request) (name, password string, bad *answer) {
	b, bad := readBody(w, r)
	if bad != nil {
		return "", "", bad
	}
	members, bad := b.model([]string{"username", "password"}, nil)
	if bad != nil {
		return "", "", bad
	}
	var faults []object
	for _, n := range []string{"username", "password"} {
		if _, ok := members[n].(string); !ok {
			faults = append(faults, fault("string_type", "Input should be a valid string", members[n], n))
		}
	}
	if faults != nil {
		return "", "", new(invalid(faults...))
	}
	return members["username"].(string), members["password"].(string), nil
}
