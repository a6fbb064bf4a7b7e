package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// maxSecret bounds a secret file, maxRead any file.
const (
	maxSecret = 64 << 10
	maxRead   = 8 << 20
)

// Source says where the configuration is.
type Source struct {
	// Path is the configuration file. Required.
	Path string
	// Environ is the environment as os.Environ gives it. Nil: no overrides, and
	// none of Airflow's.
	Environ []string
	// ReadFile reads a file whole. Nil: [ReadFile].
	ReadFile func(path string) ([]byte, error)
	// Run runs the commands that Airflow's configuration names; see
	// airflowcfg.Config. Nil: child processes.
	Run func(ctx context.Context, argv []string) ([]byte, error)
}

// Load reads, resolves and validates the configuration. Its error is [Faults],
// all of them. It may run the commands that Airflow's own configuration names
// (AIRFLOW__…_CMD), each at most ten seconds.
func Load(s Source) (*Config, error) {
	l := &loader{source: s, schema: newSchema(), config: Default(), origins: map[string]origin{}, failed: map[string]bool{}, ignored: map[string]string{}}
	if l.source.ReadFile == nil {
		l.source.ReadFile = ReadFile
	}
	if path, err := filepath.Abs(s.Path); err == nil && s.Path != "" {
		l.path = path
	} else {
		return nil, Faults{{File: s.Path, What: "no configuration file is named"}}
	}
	content, err := l.read(l.path)
	if err != nil {
		return nil, Faults{{File: s.Path, What: err.Error()}}
	}
	if !l.document(content) {
		return nil, l.faults
	}
	l.environment()
	l.apply()
	l.passedOver()
	l.fromAirflow()
	l.config.derive(l.origins)
	for _, f := range Validate(l.config) {
		l.fault(f.Key, f.What+l.hint(f.Key))
	}
	if len(l.faults) > 0 {
		l.faults.sort()
		return nil, l.faults
	}
	return &l.config, nil
}

// A loader is one Load under way.
type loader struct {
	source Source
	path   string // of the configuration file, absolute
	schema schema
	values map[string]raw
	places map[string]origin // of the sections

	config  Config
	origins map[string]origin // of the values that somebody gave
	failed  map[string]bool   // keys that have a fault already
	ignored map[string]string // keys, and the variables that do not fill them
	faults  Faults
}

// fault records a fault of a key where its value stands, or for a value that
// stands nowhere where its section begins. One per key and none below a section
// that is a fault itself: what follows from a fault is none.
func (l *loader) fault(path, what string) {
	at, found := l.origins[path]
	for p := path; p != ""; p = parent(p) {
		if l.failed[p] {
			return
		}
		if !found {
			at, found = l.places[p]
		}
	}
	if !found {
		at = l.places[""]
	}
	l.failed[path] = true
	l.faults = append(l.faults, at.fault(path, what))
}

// parent is the section of a key or section.
func parent(path string) string { return path[:max(strings.LastIndexByte(path, '.'), 0)] }

func (l *loader) document(content []byte) bool {
	d := document{file: l.source.Path, schema: l.schema, values: map[string]raw{}, places: map[string]origin{}}
	readable := d.read(content)
	l.values, l.places = d.values, d.places
	for _, f := range d.faults {
		l.failed[f.Key] = true
		l.faults = append(l.faults, f)
	}
	return readable
}

// environment lays the JETBRIDGE__ variables over the file's values. A variable
// for a secret puts the file's key_file out of force, and the other way round.
func (l *loader) environment() {
	byVariable := map[string]key{}
	for _, k := range l.schema.keys {
		byVariable[variable(k.path)] = k
	}
	given := map[string]bool{}
	for _, entry := range slices.Sorted(slices.Values(l.source.Environ)) {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) {
			continue
		}
		at := origin{file: name}
		k, known := byVariable[name]
		if !known {
			l.faults = append(l.faults, at.fault("", l.unknownVariable(name)))
			continue
		}
		l.values[k.path] = raw{origin: at, text: value, env: true}
		given[k.path] = true
		delete(l.failed, k.path)
	}
	for _, k := range l.schema.sorted() {
		plain := strings.TrimSuffix(k.path, fileSuffix)
		if !k.file {
			continue
		}
		if given[k.path] != given[plain] {
			drop := k.path
			if given[k.path] {
				drop = plain
			}
			delete(l.values, drop)
		}
	}
}

func (l *loader) unknownVariable(name string) string {
	path := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, variablePrefix), "__", "."))
	if l.schema.sections[path] {
		return "names a section; it may hold " + strings.Join(l.schema.names(path), ", ")
	}
	section := parent(path)
	if !l.schema.sections[section] {
		section = ""
	}
	return l.schema.suggest(section, strings.TrimPrefix(path, section+"."))
}

// apply stores the values, each in its field.
func (l *loader) apply() {
	l.config.Files = []string{l.path}
	for _, k := range l.schema.sorted() {
		r, ok := l.values[k.path]
		if !ok {
			continue
		}
		l.origins[k.path] = r.origin
		if k.file {
			l.secretFile(k, r)
			continue
		}
		if err := l.store(k, r); err != nil {
			l.fault(k.path, err.Error())
		}
	}
	for i := range l.config.Legacy.OpenID.Issuers {
		issuer := &l.config.Legacy.OpenID.Issuers[i]
		for _, file := range []*string{&issuer.KeyFile, &issuer.CAFile} {
			if *file != "" {
				*file = l.absolute(*file)
			}
		}
	}
	l.config.Airflow3.AuthManager = managerName(l.config.Airflow3.AuthManager)
	for _, dsn := range []*Secret{&l.config.Airflow3.Users.DSN, &l.config.Legacy.Users.DSN, &l.config.Store.DSN} {
		*dsn = l.absoluteDSN(*dsn)
	}
}

// store puts a value into its field; the name of a file becomes absolute.
func (l *loader) store(k key, r raw) error {
	field := reflect.ValueOf(&l.config).Elem().FieldByIndex(k.index)
	err := set(field, k, r)
	if err == nil && k.isPath && field.String() != "" {
		field.SetString(l.absolute(field.String()))
	}
	return err
}

// absolute resolves a name of a file against the configuration file's folder.
func (l *loader) absolute(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(l.path), name)
}

// absoluteDSN does the same for SQLite's sqlite:///relative.db.
func (l *loader) absoluteDSN(dsn Secret) Secret {
	name, ok := strings.CutPrefix(string(dsn), "sqlite:///")
	if !ok || name == "" || strings.HasPrefix(name, "/") || strings.HasPrefix(name, ":memory:") || strings.HasPrefix(name, "file:") {
		return dsn
	}
	return Secret("sqlite:///" + l.absolute(name))
}

// secretFile reads the file that k names, or the files, into what k is the variant
// of.
func (l *loader) secretFile(k key, r raw) {
	plain := strings.TrimSuffix(k.path, fileSuffix)
	if _, both := l.values[plain]; both {
		l.fault(k.path, "stands beside "+plain+": write one of the two")
		return
	}
	l.origins[plain] = r.origin
	field := reflect.ValueOf(&l.config).Elem().FieldByIndex(k.index)
	secrets, err := l.secretsIn(r, field.Kind() == reflect.Slice)
	if err != nil {
		l.fault(k.path, err.Error())
		l.failed[plain] = true
		return
	}
	if field.Kind() == reflect.Slice {
		field.Set(reflect.ValueOf(secrets))
	} else {
		field.SetString(secrets[0].Reveal())
	}
}

// secretsIn reads the files that r names: one, or with several as many as it has.
func (l *loader) secretsIn(r raw, several bool) (Secrets, error) {
	var names []string
	var err error
	if several && (r.kind == list || r.env) {
		names, err = asList(r, asItem)
	} else {
		var name string
		name, err = asText(r)
		names = []string{name}
	}
	if err == nil && (len(names) == 0 || names[0] == "") {
		err = errors.New("names no file")
	}
	if err != nil {
		return nil, err
	}
	var secrets Secrets
	for _, name := range names {
		s, err := l.secretIn(l.absolute(name))
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, s)
	}
	return secrets, nil
}

func (l *loader) secretIn(name string) (Secret, error) {
	content, err := l.read(name)
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	switch {
	case err != nil:
		return "", err
	case len(content) > maxSecret:
		return "", fmt.Errorf("the file is longer than %d bytes", maxSecret)
	case text == "":
		return "", errors.New("the file is empty")
	case strings.ContainsRune(text, 0):
		return "", errors.New("the file holds a NUL")
	}
	l.config.Files = append(l.config.Files, name)
	return Secret(text), nil
}

// read reads a file; its error is a fault's text.
func (l *loader) read(path string) ([]byte, error) {
	content, err := l.source.ReadFile(path)
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s may not be read by this user", path)
	case errors.As(err, &pathErr):
		return nil, fmt.Errorf("%s: %w", path, pathErr.Err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}

// ReadFile reads a file of at most 8 MiB whole.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxRead+1))
	if err == nil && len(content) > maxRead {
		err = fmt.Errorf("longer than %d bytes", maxRead)
	}
	return content, err
}

// NeedsRestart names the keys, sorted, that differ between two configurations
// and take effect at a start only: listeners and what bounds them, the log's
// form, the store. The contents of the TLS files are not among them.
func NeedsRestart(old, next *Config) []string {
	s := newSchema()
	a, b := reflect.ValueOf(old).Elem(), reflect.ValueOf(next).Elem()
	changed := map[string]bool{}
	for _, k := range s.keys {
		if k.restart && !k.file && !reflect.DeepEqual(a.FieldByIndex(k.index).Interface(), b.FieldByIndex(k.index).Interface()) {
			changed[k.path] = true
		}
	}
	return slices.Sorted(maps.Keys(changed))
}
