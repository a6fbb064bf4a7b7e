package airflowcfg

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxFile bounds the text of an airflow.cfg; a full one of 3.3 has 200 KiB.
const MaxFile = 4 << 20

// Bounds of interpolation. Python bounds the depth alone, at the same number,
// which lets a few lines grow, or run, without an end.
const (
	maxDepth      = 10
	maxReferences = 10_000
	maxValue      = 64 << 10
)

const defaultSection = "DEFAULT"

// An ini is a file as Python's ConfigParser reads it in its default (strict)
// settings, with Airflow's one change: keys keep their case.
type ini struct {
	sections map[string]map[string]string
	defaults map[string]string
}

// get gives the interpolated value. A section that the file does not open has no
// options, those of [DEFAULT] neither.
func (p *ini) get(section, key string) (value string, ok bool, err error) {
	options, ok := p.sections[section]
	if !ok {
		return "", false, nil
	}
	raw, ok := p.raw(options, key)
	if !ok {
		return "", false, nil
	}
	in := interpolation{ini: p, options: options}
	if err := in.add(raw, 1); err != nil {
		return "", false, err
	}
	return in.out.String(), true, nil
}

func (p *ini) raw(options map[string]string, key string) (string, bool) {
	if v, ok := options[key]; ok {
		return v, true
	}
	v, ok := p.defaults[key]
	return v, ok
}

var (
	errPercent   = errors.New("a % in the value must be written %% or begin %(name)s")
	errReference = errors.New("the value names an option with %(name)s that its section does not have")
	errDepth     = fmt.Errorf("%%(name)s is nested more than %d deep, grows over %d bytes or stands more than %d times", maxDepth, maxValue, maxReferences)
)

// An interpolation follows configparser.BasicInterpolation for one value.
type interpolation struct {
	ini        *ini
	options    map[string]string
	out        strings.Builder
	references int
}

func (in *interpolation) add(raw string, depth int) error {
	if depth > maxDepth && strings.Contains(raw, "%") {
		return errDepth
	}
	for {
		before, rest, percent := strings.Cut(raw, "%")
		in.out.WriteString(before)
		if in.out.Len() > maxValue {
			return errDepth
		}
		if !percent {
			return nil
		}
		if after, ok := strings.CutPrefix(rest, "%"); ok {
			in.out.WriteByte('%')
			raw = after
			continue
		}
		name, after, ok := strings.Cut(rest, ")s")
		if !ok || len(name) < 2 || name[0] != '(' || strings.Contains(name, ")") {
			return errPercent
		}
		value, ok := in.ini.raw(in.options, name[1:])
		if !ok {
			return errReference
		}
		if in.references++; in.references > maxReferences {
			return errDepth
		}
		if err := in.add(value, depth+1); err != nil {
			return err
		}
		raw = after
	}
}

// parseINI follows RawConfigParser._read of Python 3.11: full-line comments only,
// a line that is indented deeper than its option's continues it, blank lines
// belong to the value before them, doubled sections and options are errors.
func parseINI(content []byte) (*ini, error) {
	switch {
	case len(content) > MaxFile:
		return nil, fmt.Errorf("longer than %d bytes", MaxFile)
	case bytes.HasPrefix(content, []byte("\xef\xbb\xbf")):
		return nil, errors.New("line 1: begins with a byte order mark, which Airflow refuses: save it as UTF-8 without one")
	case !utf8.Valid(content):
		return nil, errors.New("not UTF-8")
	}
	r := reader{ini: ini{sections: map[string]map[string]string{}, defaults: map[string]string{}}}
	for number, line := range lines(string(content)) {
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	r.endOption()
	return &r.ini, nil
}

// lines splits at \n, \r\n and \r, as Python's text mode does.
func lines(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// A reader is where in the file the parsing stands.
type reader struct {
	ini     ini
	section map[string]string // nil before the first header
	option  string            // empty when no line can be continued
	value   []string          // the lines of option so far
	indent  int
}

func (r *reader) line(line string) error {
	text := strings.TrimFunc(line, isSpace)
	if strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";") {
		return nil
	}
	if text == "" {
		if r.option != "" {
			r.value = append(r.value, "")
		}
		return nil
	}
	indent := utf8.RuneCountInString(line[:strings.Index(line, text)])
	if r.option != "" && indent > r.indent {
		r.value = append(r.value, text)
		return nil
	}
	r.indent = indent
	if end := strings.LastIndexByte(text, ']'); text[0] == '[' && end > 1 {
		return r.header(text[1:end])
	}
	if r.section == nil {
		return errors.New("stands before the first [section]")
	}
	return r.assign(text)
}

func (r *reader) header(name string) error {
	r.endOption()
	if name == defaultSection {
		r.section = r.ini.defaults
		return nil
	}
	if _, doubled := r.ini.sections[name]; doubled {
		return errors.New("opens a section for the second time")
	}
	r.section = map[string]string{}
	r.ini.sections[name] = r.section
	return nil
}

func (r *reader) assign(text string) error {
	at := strings.IndexAny(text, "=:")
	if at < 0 {
		return errors.New("is neither a [section], a comment nor name = value")
	}
	name := strings.TrimRightFunc(text[:at], isSpace)
	if name == "" {
		return errors.New("has no name before its = or colon")
	}
	r.endOption()
	if _, doubled := r.section[name]; doubled {
		return errors.New("sets an option for the second time in its section")
	}
	r.option = name
	r.value = []string{strings.TrimFunc(text[at+1:], isSpace)}
	r.section[name] = ""
	return nil
}

// endOption joins the lines of the value; trailing blank lines are not part of it.
func (r *reader) endOption() {
	if r.option == "" {
		return
	}
	r.section[r.option] = strings.TrimRightFunc(strings.Join(r.value, "\n"), isSpace)
	r.option, r.value = "", nil
}

// isSpace is Python's str.isspace, which knows four separators more than Unicode.
func isSpace(c rune) bool { return unicode.IsSpace(c) || 0x1c <= c && c <= 0x1f }
