package apiv1

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// fileToken is what /api/v1 names a Dag's file by: Airflow 3's own token, with the
// Dag's id behind it, which is how Airflow 3 finds a source. It opens nothing: who
// may read that Dag, Airflow 3 judges.
func fileToken(dst []byte, values [][]byte) []byte {
	var token, dag string
	if json.Unmarshal(values[0], &token) != nil || json.Unmarshal(values[1], &dag) != nil {
		return dst
	}
	return append(dst, quoted(token+"~"+base64.RawURLEncoding.EncodeToString([]byte(dag)))...)
}

// fileTokenOf takes a token apart.
func fileTokenOf(text string) (token, dag string) {
	token, encoded, _ := strings.Cut(text, "~")
	id, _ := base64.RawURLEncoding.DecodeString(encoded) // what is none names no Dag
	return token, string(id)
}

func sources() []operation {
	return []operation{
		{
			id: "get_dag_source", at: "GET /dagSources/{file_token}", to: "GET /api/v2/dagSources/{dag_id}",
			missing: "Dag source not found", do: readSource,
		},
		{
			id: "reparse_dag_file", at: "PUT /parseDagFile/{file_token}", missing: "File not found",
			status: http.StatusCreated, do: reparse,
		},
		{
			id: "get_dag_warnings", at: "GET /dagWarnings", query: "dag_id limit offset order_by warning_type",
			answer:  page{rows: "dag_warnings", of: objectOf(same("dag_id", "message", "warning_type"), times("timestamp"))},
			prepare: orderedBy("timestamp"),
		},
	}
}

// orderedBy sorts by what Airflow 2 sorted by, where the client names nothing and
// Airflow 3 would sort by something else.
func orderedBy(name string) func(*call) error {
	return func(c *call) error {
		if !c.query.Has("order_by") {
			c.query.Set("order_by", name)
		}
		return nil
	}
}

// redacted is what Airflow 3.3 says in the place of a file that has Dags which the
// user may not read. Airflow 2 refused there.
const redacted = "REDACTED - you do not have read permission on all Dags in the file"

// readSource answers with a Dag's file as text, or as a member of a JSON object.
func readSource(c *call) error {
	text, err := c.wantsText()
	if err != nil {
		return err
	}
	_, dag := fileTokenOf(c.param("file_token"))
	if c.params["dag_id"], err = segmentOf(dag); err != nil {
		return c.foreignToken()
	}
	ask := c.request()
	ask.accept = "text/plain"
	res, err := c.ask(ask)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	start, err := io.ReadAll(io.LimitReader(res.Body, int64(len(redacted))+1))
	if err != nil {
		return err
	}
	if string(start) == redacted {
		return &problemError{status: http.StatusForbidden, detail: strings.TrimPrefix(redacted, "REDACTED - ")}
	}
	source := io.MultiReader(bytes.NewReader(start), res.Body)
	if text {
		c.w.begin(http.StatusOK, "text/plain")
		_, err = io.CopyBuffer(struct{ io.Writer }{c.w}, source, make([]byte, chunkSize))
		return err
	}
	return c.write(http.StatusOK, func(o *out) error {
		o.open('{')
		o.member(0, "content")
		o.text(`"`)
		if _, err := io.CopyBuffer(jsonText{o}, source, make([]byte, chunkSize)); err != nil {
			return err
		}
		o.text(`"`)
		o.shut('}', 1)
		return nil
	})
}

// foreignToken refuses a token that names nothing which could be on the upstream's path.
func (c *call) foreignToken() error {
	return notFound(c.op.missing, "The file_token is none that jetbridge gave out: ask for the Dag again.")
}

// A jsonText writes text of any size as it stands in a JSON string.
type jsonText struct{ io.Writer }

func (w jsonText) Write(p []byte) (int, error) {
	escaped := make([]byte, 0, len(p)+len(p)/8)
	for _, c := range p {
		switch {
		case c == '"', c == '\\':
			escaped = append(escaped, '\\', c)
		case c == '\n':
			escaped = append(escaped, `\n`...)
		case c < ' ':
			escaped = append(escaped, `\u00`...)
			escaped = append(escaped, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			escaped = append(escaped, c)
		}
	}
	_, err := w.Writer.Write(escaped)
	return len(p), err
}

// reparse asks for a file to be read again soon. That it is asked for already, Airflow
// 2 did not mind.
func reparse(c *call) error {
	token, _ := fileTokenOf(c.param("file_token"))
	var err error
	if c.params["file_token"], err = segmentOf(token); err != nil {
		return c.foreignToken()
	}
	res, err := c.ask(c.request())
	switch {
	case err == nil:
		res.Body.Close()
	case !isStatus(err, http.StatusConflict):
		return err
	}
	c.w.begin(c.op.status, "text/html; charset=utf-8")
	if err != nil {
		_, err = io.WriteString(c.w, "Duplicate request")
	}
	return err
}
