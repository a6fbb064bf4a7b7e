package route

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ErrBadPath says that a path could mean one thing to the bridge and another to
// whoever reads it next. It is a 400, and no detail of it is for the client.
var ErrBadPath = errors.New("route: bad path")

// Config is what a table is made of. It is copied.
type Config struct {
	// BasePath is the path of Airflow 3's base_url, such as "/airflow". Empty
	// or "/": Airflow 3 serves at the root.
	BasePath string
	// LegacyBasePath is Airflow 2's, which its clients still send. Empty or "/":
	// Airflow 2 served at the root.
	LegacyBasePath string
	// Modern are further path prefixes, freed of the base path, where a JWT
	// alone counts. They are taken by whole segments: "/plugin" is not
	// "/plugins". None by default.
	Modern []string
	// Reach says which of Airflow 3's paths a request on /api/v1 reaches; the path is
	// decoded and freed of the base path, and so are those. One that ends with a slash
	// stands for all below it. What reaches a path of Modern is modern itself. Nil:
	// /api/v1 reaches none.
	Reach func(method, path string) []string
	// Login makes /login/ and /logout/ the bridge's own, with and without their
	// final slash. Else they are pages like any other.
	Login bool
}

// A Table matches paths. It is safe for concurrent use.
type Table struct {
	exact prefixes
	// folded is exact as somebody would read it who ignores case.
	folded prefixes
}

// prefixes are what the configuration adds to the fixed classes.
type prefixes struct {
	bases    []string
	modern   []string        // each with its final slash
	families map[string]bool // "/api/v2/dags" and the like
	login    bool
	reach    func(method, path string) []string
}

// New makes the table of one configuration.
func New(cfg Config) (*Table, error) {
	var t Table
	t.exact.families = apiFamilies()
	t.folded.families = t.exact.families
	t.exact.login, t.folded.login = cfg.Login, cfg.Login
	t.exact.reach = cfg.Reach // of paths in other case nothing is translated
	for _, base := range []string{cfg.BasePath, cfg.LegacyBasePath} {
		clean, err := cleanPrefix(base)
		if err != nil {
			return nil, err
		}
		if clean != "" && !slices.Contains(t.exact.bases, clean) {
			t.exact.bases = append(t.exact.bases, clean)
			t.folded.bases = append(t.folded.bases, strings.ToLower(clean))
		}
	}
	for _, prefix := range cfg.Modern {
		clean, err := cleanPrefix(prefix)
		if err != nil {
			return nil, err
		}
		if clean == "" {
			return nil, fmt.Errorf("route: the prefix %q would close the whole site, its login page too", prefix)
		}
		t.exact.modern = append(t.exact.modern, clean+"/")
		t.folded.modern = append(t.folded.modern, strings.ToLower(clean)+"/")
	}
	return &t, nil
}

// cleanPrefix frees a configured prefix of its final slashes; the root is empty.
func cleanPrefix(prefix string) (string, error) {
	clean := strings.TrimRight(prefix, "/")
	if clean == "" {
		return "", nil
	}
	if _, err := read(clean); err != nil || strings.ContainsAny(clean, "%;") || strings.Contains(clean, "//") {
		return "", fmt.Errorf("route: %q is no path prefix such as /airflow", prefix)
	}
	return clean, nil
}

// Match says where a request goes. rawPath is the request's path as it came,
// without the query. Its only error is [ErrBadPath]; the target beside it says
// no more than V1, for the shape of the answer.
func (t *Table) Match(method, rawPath string) (Target, error) {
	p, err := read(rawPath)
	if err != nil {
		return Target{V1: t.exact.looksV1(rawPath), Family: "bad"}, err
	}
	target, prefix := t.exact.closest(method, p)
	if p.slash < prefix {
		return Target{V1: target.V1, Family: "bad"}, fmt.Errorf("%w: encoded slash before the resource", ErrBadPath)
	}
	if target.Class == Public {
		// Airflow 3 answers "//api/v2/dags" and "/API/v2/dags" with its start
		// page. Whoever cleans paths on the way there must not make more of it.
		folded := path{text: fold(again(p.text)), slash: math.MaxInt}
		if loose, _ := t.folded.closest(method, folded); loose.Class != Public {
			return Target{V1: loose.V1, Family: "bad"}, fmt.Errorf("%w: almost a path of class %s", ErrBadPath, loose.Class)
		}
	}
	return target, nil
}

// closest classifies p with and without each base path and takes the most
// closed: under a base path Starlette's routes match both forms
// (starlette/_utils.py, get_route_path). It also gives the length of p that
// decided.
func (x *prefixes) closest(method string, p path) (Target, int) {
	target, prefix := x.classify(method, p.text)
	for _, base := range x.bases {
		rest, ok := strings.CutPrefix(p.text, base)
		if !ok || (rest != "" && rest[0] != '/') {
			continue
		}
		if rest == "" {
			rest = "/"
		}
		under, n := x.classify(method, rest)
		if rank(under.Class) >= rank(target.Class) {
			target, prefix = under, len(base)+n
		}
	}
	return target, prefix
}

// looksV1 tells, of a path that cannot be read, which API its sender speaks.
func (x *prefixes) looksV1(rawPath string) bool {
	for _, base := range x.bases {
		if strings.HasPrefix(rawPath, base+v1+"/") {
			return true
		}
	}
	return strings.HasPrefix(rawPath, v1+"/")
}
