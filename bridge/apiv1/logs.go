package apiv1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxLine bounds one message of a log, which is held while its form changes.
const maxLine = 8 << 20

// endOfLog is the token for what comes after the end of a log. Airflow 3 gives
// none there, Airflow 2 always did, and a client that decodes its first part read
// this.
const endOfLog = "eyJlbmRfb2ZfbG9nIjp0cnVlfQ.end" // {"end_of_log":true}

// readLog answers with a log as Airflow 2 did: text for whoever takes text, and
// else a JSON object whose content is Python's spelling of a list of hosts and
// their texts. Airflow 3 does not say which host it was.
func readLog(c *call) error {
	text := prefersText(c.r.Header.Values("Accept"))
	if c.query.Get("token") == endOfLog {
		c.query.Del("token")
		if !text {
			return c.write(http.StatusOK, func(o *out) error { return writeLog(o, nil) })
		}
	}
	if text {
		return c.logText()
	}
	res, err := c.ask(c.request())
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return c.write(http.StatusOK, func(o *out) error { return writeLog(o, newScanner(res.Body)) })
}

// logText answers with the lines of a log. Airflow 3.0.0 and 3.0.1 have them as
// text, later ones as an object a line.
func (c *call) logText() error {
	ask := c.request()
	ask.accept = "application/x-ndjson"
	res, err := c.ask(ask)
	if isStatus(err, http.StatusNotAcceptable) {
		ask.accept = "text/plain"
		res, err = c.ask(ask)
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	c.w.begin(http.StatusOK, "text/plain")
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != ask.accept || kind == "text/plain" {
		_, err = io.CopyBuffer(struct{ io.Writer }{c.w}, res.Body, make([]byte, chunkSize))
		return err
	}
	return textOf(c.w, res.Body)
}

// textOf writes a line of text for each object of NDJSON.
func textOf(w *answerWriter, r io.Reader) error {
	in, out := bufio.NewReaderSize(r, chunkSize), bufio.NewWriterSize(w, chunkSize)
	var line, text []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return errTooLarge
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && err != io.EOF:
			return err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			text = appendMessage(text[:0], line)
			if _, err := out.Write(append(text, '\n')); err != nil {
				return err
			}
		}
		line = line[:0]
		if err == io.EOF {
			return w.flush(out)
		}
	}
}

// writeLog writes Airflow 2's object of Airflow 3's; without one, that of a log
// that was read to its end.
func writeLog(o *out, s *scanner) error {
	o.open('{')
	o.member(0, "content")
	o.text(`"[('', '`)
	token := []byte(quoted(endOfLog))
	if s != nil {
		err := s.object(func(name []byte) error {
			switch string(name) {
			case "content":
				return writeMessages(o, s)
			case "continuation_token":
				null, err := s.null()
				if !null && err == nil {
					token, err = s.hold(nil, maxHeld)
				}
				return err
			}
			return s.skip()
		})
		if err == nil {
			err = s.done()
		}
		if err != nil {
			return err
		}
	}
	o.text(`')]"`)
	o.member(1, "continuation_token")
	_, _ = o.Write(token)
	o.shut('}', 2)
	return nil
}

func writeMessages(o *out, s *scanner) error {
	var text, python []byte
	return s.array(func() error {
		held := len(o.held)
		var err error
		o.held, err = s.hold(o.held, maxLine)
		text = append(appendMessage(text[:0], o.held[held:]), '\n')
		o.held = o.held[:held]
		if err != nil {
			return err
		}
		python = appendPython(python[:0], string(text))
		_, err = o.Write(python)
		return err
	})
}

// A message is a line of a log.
type message struct {
	Timestamp *time.Time
	Event     string
	Level     string
	Filename  string
	Line      int     `json:"lineno"`
	Errors    []fault `json:"error_detail"`
}

// A fault is an exception that a task ended with.
type fault struct {
	Type   string `json:"exc_type"`
	Value  string `json:"exc_value"`
	Frames []struct {
		Filename string
		Line     int `json:"lineno"`
		Name     string
	}
}

// appendMessage appends a message in Airflow 2's [logging] log_format. One that is
// a text already, and one that cannot be read, is appended as it is.
func appendMessage(dst, raw []byte) []byte {
	var m message
	if json.Unmarshal(raw, &m) != nil {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return append(dst, raw...)
		}
		return append(dst, text...)
	}
	if m.Timestamp != nil {
		dst = m.Timestamp.UTC().AppendFormat(append(dst, '['), "2006-01-02T15:04:05.000-0700")
		dst = append(dst, "] "...)
		if m.Filename != "" {
			dst = fmt.Appendf(dst, "{%s:%d} ", m.Filename, m.Line)
		}
		if m.Level != "" {
			dst = append(append(dst, strings.ToUpper(m.Level)...), " - "...)
		}
	}
	dst = append(dst, m.Event...)
	for _, f := range m.Errors {
		dst = append(dst, "\nTraceback (most recent call last):\n"...)
		for _, frame := range f.Frames {
			dst = fmt.Appendf(dst, "  File %q, line %d, in %s\n", frame.Filename, frame.Line, frame.Name)
		}
		dst = append(append(append(dst, f.Type...), ": "...), f.Value...)
	}
	return dst
}

// appendPython appends text as it stands between single quotes in Python, and that
// as it stands in a JSON string.
func appendPython(dst []byte, text string) []byte {
	for _, r := range text {
		switch r {
		case '\\':
			dst = append(dst, `\\\\`...)
		case '\'':
			dst = append(dst, `\\'`...)
		case '\n':
			dst = append(dst, `\\n`...)
		case '\r':
			dst = append(dst, `\\r`...)
		case '\t':
			dst = append(dst, `\\t`...)
		case '"':
			dst = append(dst, `\"`...)
		default:
			if strconv.IsPrint(r) {
				dst = append(dst, string(r)...)
			} else if r < 0x100 {
				dst = fmt.Appendf(dst, `\\x%02x`, r)
			} else if r < 0x10000 {
				dst = fmt.Appendf(dst, `\\u%04x`, r)
			} else {
				dst = fmt.Appendf(dst, `\\U%08x`, r)
			}
		}
	}
	return dst
}
