package apiv1

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Bounds on lists.
const (
	maxPages = 1000 // of the upstream's in one answer
	maxPage  = 1000 // rows that are held at a time
)

// A page is a list of rows with its total_entries. Airflow 3 may give fewer rows
// at a time than Airflow 2 did: then the rest is fetched, page after page, and the
// client sees one list.
type page struct {
	rows string // the name of the list
	from string // Airflow 3's, when that differs
	of   shape
	bare bool // Airflow 2 said no total_entries
	// unbounded says that Airflow 2 held the client's limit to no maximum.
	unbounded bool
}

func (p page) name() string {
	if p.from != "" {
		return p.from
	}
	return p.rows
}

// rewrite is for a list that is never more than one page.
func (p page) rewrite(s *scanner, o *out) error {
	w := pageWriter{page: p, o: o}
	w.begin()
	if err := w.add(s); err != nil {
		return err
	}
	w.end(0)
	return nil
}

// A pageWriter makes one list of several pages.
type pageWriter struct {
	page
	o     *out
	n     int             // rows so far
	total json.RawMessage // of the last page
}

func (w *pageWriter) begin() {
	w.o.open('{')
	w.o.member(0, w.rows)
	w.o.open('[')
}

// add appends the rows of a page.
func (w *pageWriter) add(s *scanner) error {
	found := false
	err := s.object(func(name []byte) error {
		switch string(name) {
		case w.name():
			found = true
			return s.array(func() error {
				w.o.element(w.n)
				w.n++
				return w.of.rewrite(s, w.o)
			})
		case "total_entries":
			var err error
			w.total, err = s.hold(w.total[:0], 32)
			return err
		}
		return s.skip()
	})
	if err == nil && !found {
		err = errSyntax
	}
	return err
}

// entries is how many rows there are in all, as far as the upstream says.
func (w *pageWriter) entries() (int, bool) {
	n, err := strconv.Atoi(string(w.total))
	return n, err == nil
}

// end shuts the list. An upstream that does not count so far (Airflow 3.3 may be
// told to stop counting) has as many entries as were seen.
func (w *pageWriter) end(offset int) {
	w.o.shut(']', w.n)
	if !w.bare {
		total, ok := w.entries()
		if !ok {
			total = offset + w.n
		}
		w.o.member(1, "total_entries")
		w.o.text(strconv.Itoa(total))
	}
	w.o.shut('}', 1)
}

// whole writes a list of rows that were read already.
func (w *pageWriter) whole(rows []json.RawMessage) error {
	w.begin()
	for _, row := range rows {
		w.o.element(w.n)
		w.n++
		if err := w.of.rewrite(newScanner(bytes.NewReader(row)), w.o); err != nil {
			return err
		}
	}
	w.end(0)
	return nil
}
