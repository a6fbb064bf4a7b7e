package config

import (
	"io/fs"
	"path"
	"reflect"
)

// load loads a configuration file /etc/jetbridge/jetbridge.yaml beside others,
// given by their absolute names.
func load(files map[string]string, content string, environ ...string) (*Config, error) {
	return Load(Source{
		Path: "/etc/jetbridge/jetbridge.yaml", Environ: environ,
		ReadFile: func(name string) ([]byte, error) {
			if name == "/etc/jetbridge/jetbridge.yaml" {
				return []byte(content), nil
			}
			if text, ok := files[path.Clean(name)]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	})
}

// revealed is a Config with its secrets in the open, for comparing.
type revealed struct {
	Config  Config
	Secrets []string
}

func reveal(c Config) revealed {
	r := revealed{Config: c}
	for _, k := range newSchema().sorted() {
		if s, ok := reflect.ValueOf(c).FieldByIndex(k.index).Interface().(Secret); ok {
			r.Secrets = append(r.Secrets, s.Reveal())
		}
	}
	return r
}
