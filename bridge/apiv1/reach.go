package apiv1

import (
	"net/http"
	"strings"
)

// Reach gives a function that says which of Airflow 3's paths a request on /api/v1
// reaches, so that what is closed there is closed here (package route asks it). The
// path is decoded once and free of a base path; paths that are given are so too. One
// that ends with a slash stands for all below it: which one, the path alone does not
// say. Every operation that the path could be taken for counts.
//
// The function is safe for concurrent use.
func Reach() func(method, path string) []string {
	templates := templatesOf(families())
	return func(method, path string) (reached []string) {
		if method == http.MethodHead {
			method = http.MethodGet
		}
		rest, ok := strings.CutPrefix(path, v1Prefix+"/")
		if !ok {
			return nil
		}
		segments := strings.Split(rest, "/")
		for _, t := range templates {
			if params, ok := t.match(segments, segments); ok && t.method == method {
				for _, path := range append(strings.Fields(t.also), t.upstream.path) {
					reached = append(reached, fillKnown(path, params))
				}
			}
		}
		return reached
	}
}

// fillKnown puts parameters into a path as far as they are known.
func fillKnown(path string, params map[string]string) string {
	known := path
	for i, part := range strings.Split(path, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		if params[name] == "" {
			known = strings.Join(strings.Split(path, "{")[:i+1], "{")
			break
		}
	}
	return fill(known, params)
}
