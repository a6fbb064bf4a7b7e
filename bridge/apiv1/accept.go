package apiv1

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// prefersText says whether a client that accepts this gets text where Airflow 2
// had both text and JSON: text when neither is liked better, as with */*, and JSON
// for who says nothing.
func prefersText(accept []string) bool {
	text := liking(accept, "text", "plain")
	return text > 0 && text >= liking(accept, "application", "json")
}

// wantsText is prefersText for a client that must take one of the two. Airflow 2
// refused who says nothing, too; here that is JSON.
func (c *call) wantsText() (bool, error) {
	accept := c.r.Header.Values("Accept")
	text := prefersText(accept)
	if !text && len(accept) > 0 && liking(accept, "application", "json") == 0 {
		return false, &problemError{status: http.StatusNotAcceptable, detail: "This is text/plain or application/json."}
	}
	return text, nil
}

// liking is the best quality that Accept gives a media type (RFC 9110 section
// 12.5.1), by Werkzeug's reading: the best of what fits, not the most specific.
func liking(accept []string, main, sub string) (best float64) {
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		a, b, _ := strings.Cut(kind, "/")
		if a != "*" && a != main || b != "*" && b != sub {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				q = 0
			}
		}
		best = max(best, q)
	}
	return best
}
