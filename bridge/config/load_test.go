package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus gives the files of testdata/config that end in suffix: their text, and
// the lines that begin with "# want: " and "# env: " without those words.
func corpus(t testing.TB, suffix string) map[string]corpusFile {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "testdata", "config", "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]corpusFile{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := corpusFile{path: path, content: content, environ: []string{"PATH=" + os.Getenv("PATH")}}
		for line := range strings.Lines(string(content)) {
			line = strings.TrimSuffix(line, "\n")
			if want, ok := strings.CutPrefix(line, "# want: "); ok {
				f.wants = append(f.wants, want)
			}
			if env, ok := strings.CutPrefix(line, "# env: "); ok {
				f.environ = append(f.environ, env)
			}
		}
		files[filepath.Base(path)] = f
	}
	return files
}

type corpusFile struct {
	path           string
	content        []byte
	wants, environ []string
}

func TestGoodFiles(t *testing.T) {
	files := corpus(t, ".good.yaml")
	if len(files) < 12 {
		t.Fatalf("%d files", len(files))
	}
	for name, f := range files {
		c, err := Load(Source{Path: f.path, Environ: f.environ})
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		if faults := Validate(*c); len(faults) > 0 {
			t.Errorf("%s: what was loaded does not pass: %v", name, faults)
		}
	}
}

// TestBadFiles checks each file against its "# want:" lines: every fault holds
// one of them or more, and each of them is held. A want that begins with a digit
// begins with the fault's line.
func TestBadFiles(t *testing.T) {
	files := corpus(t, ".bad.yaml")
	if len(files) < 30 {
		t.Fatalf("%d files", len(files))
	}
	for name, f := range files {
		t.Run(name, func(t *testing.T) {
			c, err := Load(Source{Path: f.path, Environ: f.environ})
			var faults Faults
			if !errors.As(err, &faults) || c != nil || len(f.wants) == 0 {
				t.Fatalf("%v, %v; want faults and nothing else, %d said", c, err, len(f.wants))
			}
			held := map[string]bool{}
			for _, fault := range faults {
				text := strings.TrimPrefix(fault.Error(), f.path+":")
				matched := false
				for _, want := range f.wants {
					digit := want[0] >= '0' && want[0] <= '9'
					if digit && strings.HasPrefix(text, want) || !digit && strings.Contains(text, want) {
						held[want], matched = true, true
					}
				}
				if !matched {
					t.Errorf("not wanted: %s", text)
				}
			}
			for _, want := range f.wants {
				if !held[want] {
					t.Errorf("wanted: %s", want)
				}
			}
			for i := 1; i < len(faults); i++ {
				if a, b := faults[i-1], faults[i]; b.Line != 0 && a.Line > b.Line || a.Line == 0 && b.Line > 0 {
					t.Errorf("not in order: %v after %v", b, a)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
}
