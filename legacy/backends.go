package legacy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Backend is one of Airflow's auth backends.
type Backend struct {
	// Name is the backend as the list named it.
	Name string
	// Scheme is what it speaks; [AnonymousScheme] for the one named default,
	// which lets everybody in without a name.
	Scheme Scheme
	// Appended says that nobody named it: Airflow's own rewriting did.
	Appended bool
}

// Backends are the chain: the schemes in the order in which they are challenged,
// each once.
type Backends []Backend

// The names that Airflow's rewriting of [api] auth_backends compares with.
const (
	coreSession = "airflow.api.auth.backend.session"
	coreDeny    = "airflow.api.auth.backend.deny_all"
	coreDefault = "airflow.api.auth.backend.default"
)

// nobody is what deny_all lets in.
const nobody Scheme = "deny_all"

// modules are the packages that hold a backend of that short name, over the
// releases: Airflow's core, Airflow 2.8, the FAB provider.
var modules = [...]string{
	"airflow.api.auth.backend.",
	"airflow.auth.managers.fab.api.auth.backend.",
	"airflow.providers.fab.auth_manager.api.auth.backend.",
}

const googleModule = "airflow.providers.google.common.auth_backend.google_openid"

// shortNames are those of Airflow's own modules, and kerberos as people say it.
func shortNames() map[string]Scheme {
	return map[string]Scheme{
		"basic_auth": Basic, "session": Session, "kerberos_auth": Kerberos, "kerberos": Kerberos,
		"google_openid": OpenID, "default": AnonymousScheme, "deny_all": nobody,
	}
}

// schemeOf finds the scheme of a backend by its dotted or short name.
func schemeOf(name string) (Scheme, bool) {
	if name == googleModule {
		return OpenID, true
	}
	for _, module := range modules {
		if short, ok := strings.CutPrefix(name, module); ok {
			scheme, known := shortNames()[short]
			return scheme, known && short != "kerberos" && short != "google_openid"
		}
	}
	scheme, ok := shortNames()[name]
	return scheme, ok
}

// ParseBackends reads a list of auth backends, by Airflow's dotted names or the
// short ones. fromAirflow says that it was read from Airflow's configuration,
// which Airflow from 2.3 on rewrites as it starts (_upgrade_auth_backends in
// airflow/configuration.py); any other list is taken as it stands.
//
// A name in ignore is passed over, known or not; a short one stands for every
// name of its scheme. One that is neither known nor
// ignored is an error, and all such are told together. deny_all blocks nothing
// in a chain and leaves no trace. Of what follows default nothing was ever asked
// by Airflow; here it is, for default counts without a credential alone.
func ParseBackends(list []string, fromAirflow bool, ignore []string) (Backends, error) {
	appended := -1
	if fromAirflow {
		list, appended = rewrite(list)
	}
	var chain Backends
	var unknown []error
	for i, name := range list {
		name = strings.TrimSpace(name)
		scheme, known := schemeOf(name)
		switch {
		case ignored(ignore, name, scheme) || known && scheme == nobody:
		case name == "":
			unknown = append(unknown, errors.New("legacy.auth_backends: an empty name (a comma too many?)"))
		case !known:
			unknown = append(unknown, fmt.Errorf("legacy.auth_backends: unknown backend %q; known are %s, by these names or Airflow's dotted ones (legacy.ignore_backends passes one over)",
				name, strings.Join(slices.Sorted(maps.Keys(shortNames())), ", ")))
		case !slices.ContainsFunc(chain, func(b Backend) bool { return b.Scheme == scheme }):
			chain = append(chain, Backend{Name: name, Scheme: scheme, Appended: i == appended})
		}
	}
	if len(unknown) > 0 {
		return nil, errors.Join(unknown...)
	}
	return chain, nil
}

func ignored(ignore []string, name string, scheme Scheme) bool {
	return slices.ContainsFunc(ignore, func(item string) bool {
		short, known := shortNames()[item]
		return item == name || known && short == scheme && scheme != nobody
	})
}

// rewrite does to the list what Airflow does, and says which item it appended,
// -1 for none.
func rewrite(list []string) ([]string, int) {
	value := strings.TrimSpace(strings.Join(list, ","))
	switch {
	case value == "" || value == coreDeny:
		return []string{coreSession}, 0
	case value == coreDefault || strings.Contains(value, coreSession):
		return list, -1
	}
	return append(slices.Clone(list), coreSession), len(list)
}
