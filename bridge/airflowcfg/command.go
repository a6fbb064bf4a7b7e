package airflowcfg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// Bounds of one command. Airflow has none.
const (
	CommandTimeout = 10 * time.Second
	MaxOutput      = 64 << 10
)

// command gives what the command prints, verbatim: Airflow 2 and 3 both keep a
// trailing newline and drop bytes that are not UTF-8. Neither the command nor
// its output appears in an error.
func (f *File) command(line string) (string, error) {
	argv, err := split(line)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), CommandTimeout)
	defer cancel()
	out, err := f.run(ctx, argv)
	if err != nil {
		return "", fmt.Errorf("the command failed: %w", err)
	}
	if len(out) > MaxOutput {
		return "", fmt.Errorf("the command prints more than %d bytes", MaxOutput)
	}
	return strings.ToValidUTF8(string(out), ""), nil
}

func runner(dir string, env []string) func(context.Context, []string) ([]byte, error) {
	return func(ctx context.Context, argv []string) ([]byte, error) {
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir = dir
		cmd.Env = append([]string{}, env...) // not nil, which would mean our own
		cmd.Stdout = &limited{to: &out, left: MaxOutput + 1}
		// A grandchild that keeps the pipe open must not keep us waiting.
		cmd.WaitDelay = time.Second
		err := cmd.Run()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no end within %s", CommandTimeout)
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("exit status %d", exit.ExitCode())
		}
		if err != nil {
			return nil, errors.New("it cannot be started")
		}
		return out.Bytes(), nil
	}
}

// A limited writer swallows what is beyond its bound.
type limited struct {
	to   io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.left)]
	l.left -= len(keep)
	if _, err := l.to.Write(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}

var (
	errQuote  = errors.New("the command has a quotation that does not close")
	errEscape = errors.New("the command ends in a backslash")
	errNoWord = errors.New("the command is empty")
)

// split follows Python's shlex.split: POSIX quoting without a shell, without
// comments and without joining lines at a backslash.
func split(line string) ([]string, error) {
	var argv []string
	var word strings.Builder
	open := false // a word has begun, though it may be empty
	var quote byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			if open {
				argv = append(argv, word.String())
				word.Reset()
			}
			open = false
		case c == '\\' && quote != '\'':
			i++
			if i == len(line) {
				return nil, errEscape
			}
			if quote != 0 && line[i] != '\\' && line[i] != quote {
				word.WriteByte('\\')
			}
			word.WriteByte(line[i])
			open = true
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open = c, true
		case quote != 0 && c == quote:
			quote = 0
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if quote != 0 {
		return nil, errQuote
	}
	if open {
		argv = append(argv, word.String())
	}
	if len(argv) == 0 {
		return nil, errNoWord
	}
	return argv, nil
}
