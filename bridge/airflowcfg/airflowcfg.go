// Package airflowcfg reads one Airflow installation's configuration the way
// Airflow itself does: airflow.cfg, AIRFLOW__SECTION__KEY, commands, deprecated
// names and built-in defaults, for the options that the bridge needs to know.
//
// [Open] reads the file once; [File.Get] answers for one option. It follows
// airflow/configuration.py of 2.10 and airflow/_shared/configuration/parser.py
// of 3.3, which agree on every rule that matters here; what they disagree on
// (names, defaults, which options may come from a command) hangs on [Version].
//
// It refuses what it cannot do as Airflow does: a value that is kept in a
// secrets backend is [ErrSecretsBackend], never "not set". Two loops without an
// end in Airflow (variables that name each other, a command that hangs) are
// bounded here and end as errors.
package airflowcfg

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
)

// ErrSecretsBackend says that Airflow would ask a secrets backend for the
// value, which the bridge does not speak to.
var ErrSecretsBackend = errors.New("the value is kept in an Airflow secrets backend, which the bridge cannot ask")

// A Version is a major version of Airflow.
type Version int

// The versions whose rules are known.
const (
	Airflow2 Version = 2
	Airflow3 Version = 3
)

// Config says what to read.
type Config struct {
	// Version is whose option names and defaults hold. Required.
	Version Version
	// File is the path of airflow.cfg; messages name it. Required.
	File string
	// Content is the file's text, at most MaxFile bytes of UTF-8.
	Content []byte
	// Environ is the environment as os.Environ gives it: AIRFLOW__* options, the
	// variables that values name with $, and what commands run with. Nil: none.
	Environ []string
	// FileOnly leaves the AIRFLOW__* options and AIRFLOW_HOME of Environ aside,
	// for an installation that they do not belong to.
	FileOnly bool
	// Home finds the home folder of a user for a leading ~name; "" asks for the
	// program's own user and is not asked when Environ has HOME. Nil: the
	// system's user database.
	Home func(name string) (string, bool)
	// Run runs a command without a shell and returns what it printed. Nil: a
	// child process, in the file's folder, bounded by CommandTimeout and
	// MaxOutput.
	Run func(ctx context.Context, argv []string) ([]byte, error)
}

// A File is an opened configuration. It does not change and is safe for
// concurrent use.
type File struct {
	rules    rules
	path     string
	ini      *ini
	env      map[string]string
	fileOnly bool
	home     func(string) (string, bool)
	run      func(context.Context, []string) ([]byte, error)
}

// Open parses the file. Its errors name the file and the line and quote neither
// names nor values, for a line of airflow.cfg may hold a password.
func Open(c Config) (*File, error) {
	r, ok := rulesOf(c.Version)
	if !ok {
		return nil, fmt.Errorf("airflowcfg: no rules for Airflow %d", c.Version)
	}
	if c.File == "" {
		return nil, errors.New("airflowcfg: no file named")
	}
	parsed, err := parseINI(c.Content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	f := &File{rules: r, path: c.File, ini: parsed, env: environ(c.Environ), fileOnly: c.FileOnly, home: c.Home, run: c.Run}
	if f.home == nil {
		f.home = systemHome
	}
	if f.run == nil {
		f.run = runner(filepath.Dir(c.File), slices.Clone(c.Environ))
	}
	return f, nil
}

// environ is a map of "NAME=value" entries; of a doubled name the first counts,
// as in Python.
func environ(entries []string) map[string]string {
	m := make(map[string]string, len(entries))
	for _, e := range entries {
		name, value, _ := strings.Cut(e, "=")
		if _, doubled := m[name]; !doubled {
			m[name] = value
		}
	}
	return m
}

func systemHome(name string) (string, bool) {
	find := user.Current
	if name != "" {
		find = func() (*user.User, error) { return user.Lookup(name) }
	}
	u, err := find()
	if err != nil {
		return "", false
	}
	return u.HomeDir, true
}

// A Value is what Airflow would read for one option.
type Value struct {
	Text string
	// Found is false when Airflow has no value at all, not even a default.
	Found bool
	// Default tells that nobody set the option: Text is Airflow's own default.
	Default bool
	// From says where it stands, for a message: a variable's name, the file with
	// section and key, or "Airflow's default".
	From string
}

// An option is a section and a key, in lower case.
type option struct{ section, key string }

func (o option) String() string { return "[" + o.section + "] " + o.key }

func (o option) variable() string {
	section := strings.ReplaceAll(o.section, ".", "_")
	return "AIRFLOW__" + strings.ToUpper(section) + "__" + strings.ToUpper(o.key)
}

// Get looks the option up where Airflow does, in its order: the environment
// (value, command, secret; then the same under the deprecated name), the file
// (both names), the file's command, the file's secret, the default. Only options
// that Airflow calls sensitive have commands and secrets.
//
// An error means that Airflow would not have got a value either, or that the
// bridge cannot get it ([ErrSecretsBackend]). It never holds a value.
func (f *File) Get(section, key string) (Value, error) {
	names := []option{{strings.ToLower(section), strings.ToLower(key)}}
	if old, ok := f.rules.deprecated[names[0]]; ok {
		names = append(names, old)
	}
	for _, look := range []func(option) (Value, error){f.fromEnvironment, f.fromFile, f.fromCommand, f.fromSecret} {
		for _, name := range names {
			v, err := look(name)
			if err != nil || v.Found {
				return v, err
			}
		}
	}
	return f.fromDefault(names[0])
}

func (f *File) fromEnvironment(o option) (Value, error) {
	if f.fileOnly {
		return Value{}, nil
	}
	name := o.variable()
	if text, ok := f.env[name]; ok {
		text, err := f.expand(text)
		return found(text, name, err)
	}
	if !f.rules.sensitive[o] {
		return Value{}, nil
	}
	if command, ok := f.env[name+"_CMD"]; ok {
		text, err := f.command(command)
		return found(text, name+"_CMD", err)
	}
	if _, ok := f.env[name+"_SECRET"]; ok {
		return found("", name+"_SECRET", ErrSecretsBackend)
	}
	return Value{}, nil
}

func (f *File) fromFile(o option) (Value, error) {
	text, ok, err := f.ini.get(o.section, o.key)
	if !ok && err == nil {
		return Value{}, nil
	}
	if err == nil {
		text, err = f.expand(text)
	}
	return found(text, f.path+" "+o.String(), err)
}

func (f *File) fromCommand(o option) (Value, error) {
	text, from, ok, err := f.beside(o, "_cmd")
	if !ok {
		return Value{}, nil
	}
	if err == nil {
		text, err = f.command(text)
	}
	if err == nil && text == "" {
		return Value{}, nil
	}
	return found(text, from, err)
}

func (f *File) fromSecret(o option) (Value, error) {
	_, from, ok, _ := f.beside(o, "_secret")
	if !ok {
		return Value{}, nil
	}
	return found("", from, ErrSecretsBackend)
}

// beside reads the key with a suffix, for sensitive options only.
func (f *File) beside(o option, suffix string) (text, from string, ok bool, err error) {
	if !f.rules.sensitive[o] {
		return "", "", false, nil
	}
	text, ok, err = f.ini.get(o.section, o.key+suffix)
	return text, f.path + " " + o.String() + suffix, ok || err != nil, err
}

func (f *File) fromDefault(o option) (Value, error) {
	text, ok := f.rules.defaults[o]
	if !ok {
		return Value{}, nil
	}
	if strings.Contains(text, airflowHome) {
		home, err := f.airflowHome()
		if err != nil {
			return found("", "AIRFLOW_HOME", err)
		}
		text = strings.ReplaceAll(text, airflowHome, home)
	}
	return Value{Text: text, Found: true, Default: true, From: "Airflow's default"}, nil
}

// airflowHome is AIRFLOW_HOME where it is known, else the file's own folder:
// Airflow would say ~/airflow, but of its user, not of the bridge's.
func (f *File) airflowHome() (string, error) {
	if home, ok := f.env["AIRFLOW_HOME"]; ok && !f.fileOnly {
		return f.expand(home)
	}
	return filepath.Dir(f.path), nil
}

func found(text, from string, err error) (Value, error) {
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", from, err)
	}
	return Value{Text: text, Found: true, From: from}, nil
}
