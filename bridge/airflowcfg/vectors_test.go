package airflowcfg

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vectors is testdata/airflowcfg/vectors.json, made by make.py beside it: what
// real Airflows 2.10.5 and 3.3.2 and Python 3.11 answered.
type vectors struct {
	Cases []struct {
		Name, Section, Key, File string
		Version                  Version
		Env                      map[string]string
		Want                     want
	}
	Conversions []struct {
		Method, Text string
		Want         struct {
			Value any
			Error bool
		}
	}
	Words []struct {
		Text string
		Want struct {
			Value []string
			Error bool
		}
	}
	Files []struct {
		Text string
		// Nil: the file does not parse. A nil value: its interpolation fails.
		Want map[string]map[string]*string
	}
}

type want struct {
	Value          string
	Error, Missing bool
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "airflowcfg", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) < 150 || len(v.Files) < 250 || len(v.Words) < 25 || len(v.Conversions) < 35 {
		t.Fatalf("the vectors are not whole: %d cases, %d files, %d words, %d conversions",
			len(v.Cases), len(v.Files), len(v.Words), len(v.Conversions))
	}
	return v
}

// TestLikeAirflow replays what Airflow answered for one option.
func TestLikeAirflow(t *testing.T) {
	for _, c := range readVectors(t).Cases {
		t.Run(string('0'+rune(c.Version))+" "+c.Name, func(t *testing.T) {
			env := []string{"PATH=" + os.Getenv("PATH")}
			for name, value := range c.Env {
				env = append(env, name+"="+value)
			}
			var got want
			f, err := Open(Config{
				Version: c.Version, File: filepath.Join(t.TempDir(), "airflow.cfg"), Content: []byte(c.File), Environ: env,
				Home: func(string) (string, bool) { return "", false },
			})
			if err == nil {
				var v Value
				v, err = f.Get(c.Section, c.Key)
				got = want{Value: v.Text, Missing: err == nil && !v.Found}
			}
			got.Error = err != nil
			if diff := cmp.Diff(c.Want, got); diff != "" {
				t.Errorf("Airflow (-) and we (+) differ: %v\n%s", err, diff)
			}
		})
	}
}

// TestLikeConfigParser replays files of random lines.
func TestLikeConfigParser(t *testing.T) {
	for _, c := range readVectors(t).Files {
		var got map[string]map[string]*string
		p, err := parseINI([]byte(c.Text))
		if err == nil {
			got = map[string]map[string]*string{}
			for name, options := range p.sections {
				got[name] = map[string]*string{}
				for _, keys := range []map[string]string{p.defaults, options} {
					for key := range keys {
						got[name][key] = nil
						if value, _, err := p.get(name, key); err == nil {
							got[name][key] = &value
						}
					}
				}
			}
		}
		if diff := cmp.Diff(c.Want, got); diff != "" {
			t.Errorf("%q: Python (-) and we (+) differ: %v\n%s", c.Text, err, diff)
		}
	}
}

func TestLikeShlex(t *testing.T) {
	for _, c := range readVectors(t).Words {
		got, err := split(c.Text)
		if !c.Want.Error && len(c.Want.Value) == 0 {
			// Python splits it into nothing and fails to start that.
			if err == nil {
				t.Errorf("%q: split into %q, want an error", c.Text, got)
			}
			continue
		}
		if (err != nil) != c.Want.Error || !cmp.Equal(c.Want.Value, got) {
			t.Errorf("%q: got %q, %v; want %q, error %t", c.Text, got, err, c.Want.Value, c.Want.Error)
		}
	}
}

func TestLikeConversions(t *testing.T) {
	for _, c := range readVectors(t).Conversions {
		v := Value{Text: c.Text}
		var got any
		var err error
		switch c.Method {
		case "getboolean":
			got, err = v.Bool()
		case "getint":
			var n int
			n, err = v.Int()
			got = float64(n)
		case "getlist":
			items := []any{}
			for _, item := range v.List() {
				items = append(items, item)
			}
			got = items
		}
		if (err != nil) != c.Want.Error || err == nil && !cmp.Equal(c.Want.Value, got) {
			t.Errorf("%s of %q: got %v, %v; want %v, error %t", c.Method, c.Text, got, err, c.Want.Value, c.Want.Error)
		}
	}
}
