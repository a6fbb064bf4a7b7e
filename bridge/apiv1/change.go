package apiv1

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// changes are the members of the body that are to change: those that update_mask
// names, or all that were sent. Airflow 2 refused a mask that names what was not
// sent, and one that names fixed, by which the thing is known. The mask is taken
// away: what Airflow 3 makes of one that it is not sent depends on the operation.
func (c *call) changes(fixed string) ([]string, error) {
	mask := c.query["update_mask"]
	c.query.Del("update_mask")
	if strings.Join(mask, "") == "" {
		var all []string
		for _, m := range c.body {
			if m.name != fixed {
				all = append(all, m.name)
			}
		}
		return all, nil
	}
	for i, name := range mask {
		mask[i] = strings.TrimSpace(name)
		if mask[i] == fixed || c.body.get(mask[i]) == nil {
			return nil, badRequest("", "'"+mask[i]+"' is unknown or cannot be updated.")
		}
	}
	return mask, nil
}

// change asks for the changes of what the path names. An empty mask would have
// Airflow 3 change all that was sent: where nothing is to change, it is only read.
func (c *call) change(changes []string, as shape) error {
	ask := c.request()
	ask.query = url.Values{"update_mask": changes}
	if len(changes) == 0 {
		ask = c.reading()
	}
	res, err := c.ask(ask)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return c.reply(res, as)
}

// reading is the request that reads what the path names.
func (c *call) reading() request {
	return request{method: http.MethodGet, path: fill(c.path, c.params)}
}

// param is a parameter of the path, decoded.
func (c *call) param(name string) string {
	text, _ := url.PathUnescape(c.params[name]) // the route lets no other through
	return text
}

// segmentOf is text as a segment of the upstream's path. One with a slash would be
// several there, however it is escaped.
func segmentOf(text string) (string, error) {
	if strings.Contains(text, "/") {
		return "", badRequest("", "A name may not have a '/' here.")
	}
	return restOf(text)
}

// restOf is text as the rest of the upstream's path, which may have slashes. What a
// server could take for a way out of that path is refused, as it is in a client's.
func restOf(text string) (string, error) {
	for part := range strings.SplitSeq(text, "/") {
		if text == "" || part == "." || part == ".." {
			return "", badRequest("", "A name may not have the part '"+part+"'.")
		}
	}
	return url.PathEscape(text), nil
}

// without is list less name.
func without(list []string, name string) []string {
	return slices.DeleteFunc(list, func(n string) bool { return n == name })
}
