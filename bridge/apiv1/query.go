package apiv1

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How a query parameter of Airflow 2's goes on.
type paramKind int

const (
	plain   paramKind = iota // as it came; of several the last counts
	several                  // each of them, whether repeated or parted by commas
	moment                   // a date and time, read as leniently as Airflow 2 did
	limit                    // how many rows
	offset                   // after how many
	order                    // what to sort by
	fields                   // which members the answer's objects have
)

// nowhere is where a parameter goes that is accepted and means nothing.
const nowhere = "-"

// paramOf says what a parameter of Airflow 2's means, wherever it comes.
func paramOf(name string) (kind paramKind, upstream string) {
	switch name {
	case "limit":
		return limit, name
	case "order_by":
		return order, name
	case "fields":
		return fields, name
	case "offset":
		return offset, name
	case "tags", "state", "pool", "queue", "executor", "update_mask", "dag_ids", "included_events", "excluded_events":
		return several, name
	case "execution_date_gte":
		return moment, "logical_date_gte"
	case "execution_date_lte":
		return moment, "logical_date_lte"
	case "start_date_gte", "start_date_lte", "end_date_gte", "end_date_lte", "updated_at_gte", "updated_at_lte", "before", "after":
		return moment, name
	}
	return plain, name
}

// defaultLimit is [api] fallback_page_limit of Airflow 2: the rows of a request
// that names no number, or 0.
const defaultLimit = 100

// translate makes the upstream's query of a client's. Like Airflow 2 it refuses
// a parameter that the operation has not.
func (c *call) translate(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return badRequest("", "The query cannot be read.")
	}
	names := renames(c.op.query)
	if extra := extraNames(query, names); extra != "" {
		return badRequest("", "Extra query parameter(s) "+extra+" not in spec")
	}
	for old, upstream := range names {
		kind, known := paramOf(old)
		switch upstream {
		case nowhere:
			continue
		case old:
			upstream = known
		}
		values, err := c.values(kind, old, query[old])
		if err != nil {
			return err
		}
		if len(values) > 0 {
			c.query[upstream] = values
		}
	}
	return nil
}

func extraNames(query url.Values, names map[string]string) string {
	var extra []string
	for name := range query {
		if _, ok := names[name]; !ok {
			extra = append(extra, name)
		}
	}
	slices.Sort(extra)
	return strings.Join(extra, ", ")
}

// values are the upstream's of a parameter. What the bridge sees to itself it
// keeps: limit, offset and fields.
func (c *call) values(kind paramKind, name string, values []string) ([]string, error) {
	var last string
	if len(values) > 0 {
		last = values[len(values)-1]
	}
	var err error
	switch {
	case kind == limit:
		c.rows, err = rowsOf(last, c.mostRows())
		return nil, err
	case len(values) == 0:
		return nil, nil
	case kind == several, kind == fields:
		values = strings.Split(strings.Join(values, ","), ",")
		if kind == fields {
			c.fields, values = values, nil
		}
		return values, nil
	case kind == offset:
		if c.offset, err = integer(name, last); c.offset < 0 {
			err = badRequest("", last+" is less than the minimum of 0 - '"+name+"'")
		}
		return []string{last}, err
	case kind == moment:
		at, ok := lenientTime(last)
		if !ok {
			return nil, badRequest("Incorrect datetime argument", "The value of "+name+" is not a date and time.")
		}
		last = at
	case kind == order:
		last = c.orderOf(last)
	}
	return []string{last}, nil
}

// orderOf is the upstream's name of what to sort by, "-" before it for backwards.
func (c *call) orderOf(by string) string {
	name, backwards := strings.CutPrefix(by, "-")
	if renamed, ok := renames(c.op.order)[name]; ok {
		name = renamed
	}
	if backwards {
		return "-" + name
	}
	return name
}

// mostRows is the maximum of limit.
func (c *call) mostRows() int {
	if p, ok := c.answer.(page); ok && p.unbounded {
		return maxPages * defaultLimit
	}
	return c.pageLimit
}

func integer(name, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest("", "Wrong type, expected 'integer' for query parameter '"+name+"'")
	}
	return n, nil
}

// rowsOf reads limit: 0 and none are the default, more than most is most.
func rowsOf(text string, most int) (int, error) {
	if text == "" {
		return min(defaultLimit, most), nil
	}
	n, err := integer("limit", text)
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, badRequest("Page limit must be a positive integer", "Page limit must be a positive integer")
	case n == 0:
		return min(defaultLimit, most), nil
	}
	return min(n, most), nil
}

// lenientTime reads a date and time as Airflow 2 did (parameters.py): spaces
// around it do not count, one within it is a "+" that was not escaped, one
// without a zone is UTC, and of ISO 8601 many spellings will do. It is written
// as Airflow 3 wants it.
func lenientTime(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if !strings.HasSuffix(text, "Z") {
		text = strings.ReplaceAll(text, " ", "+")
	}
	for _, date := range []string{"2006-01-02", "20060102"} {
		for _, clock := range []string{"T15:04:05", "T15:04", "T150405", "T1504", "T15", ""} {
			for _, zone := range []string{"Z07:00", "Z0700", "Z07", ""} {
				// A fraction of a second is read wherever the layout has seconds.
				if at, err := time.Parse(date+clock+zone, text); err == nil && at.Year() > 0 {
					return at.Format("2006-01-02T15:04:05.999999Z07:00"), true
				}
			}
		}
	}
	return "", false
}
