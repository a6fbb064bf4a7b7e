package config

import (
	"context"
	"io/fs"
	"path"
	"reflect"
)

// load loads a configuration file /etc/jetbridge/jetbridge.yaml beside others,
// given by their absolute names.
func load(files map[string]string, content string, environ ...string) (*Config, error) {
	all := map[string]string{"/etc/jetbridge/jetbridge.yaml": content}
	for name, text := range files {
		all[name] = text
	}
	return Load(Source{Path: "/etc/jetbridge/jetbridge.yaml", Environ: environ, ReadFile: among(all)})
}

// among reads files that are nowhere but there.
func among(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if text, ok := files[path.Clean(name)]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

// printed is a command that prints text.
func printed(text string) func(context.Context, []string) ([]byte, error) {
	return func(context.Context, []string) ([]byte, error) { return []byte(text), nil }
}

// revealed is a Config with its secrets in the open, for comparing.
type revealed struct {
	Config  Config
	Secrets []string
}

func reveal(c Config) revealed {
	r := revealed{Config: c}
	for _, k := range newSchema().sorted() {
		switch s := reflect.ValueOf(c).FieldByIndex(k.index).Interface().(type) {
		case Secret:
			r.Secrets = append(r.Secrets, s.Reveal())
		case Secrets:
			r.Secrets = append(r.Secrets, s.Reveal()...)
		}
	}
	return r
}
