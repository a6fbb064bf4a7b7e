package airflowcfg

import (
	"fmt"
	"regexp"
	"strings"
)

// maxExpansions bounds how often a value is expanded before it must be stable.
// Airflow has no bound and hangs on two variables that name each other.
const maxExpansions = 32

var variable = regexp.MustCompile(`\$(?:[0-9A-Za-z_]+|\{[^}]*\})`)

// expand replaces $NAME, ${NAME} and a leading ~ until nothing changes: Airflow's
// expand_env_var over os.path.expandvars and os.path.expanduser.
func (f *File) expand(text string) (string, error) {
	for range maxExpansions {
		next := f.expandUser(f.expandVars(text))
		if next == text {
			return text, nil
		}
		if len(next) > maxValue {
			break
		}
		text = next
	}
	return "", fmt.Errorf("the variables that the value names do not come to an end within %d rounds and %d bytes", maxExpansions, maxValue)
}

// expandVars leaves a variable that is not set as it stands.
func (f *File) expandVars(text string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		name := m[1:]
		if name[0] == '{' {
			name = name[1 : len(name)-1]
		}
		if value, ok := f.env[name]; ok {
			return value
		}
		return m
	})
}

func (f *File) expandUser(text string) string {
	if !strings.HasPrefix(text, "~") {
		return text
	}
	name, _, _ := strings.Cut(text[1:], "/")
	rest := text[1+len(name):]
	home, ok := f.env["HOME"]
	if name != "" || !ok {
		if home, ok = f.home(name); !ok {
			return text
		}
	}
	expanded := strings.TrimRight(home, "/") + rest
	if expanded == "" {
		return "/"
	}
	return expanded
}
