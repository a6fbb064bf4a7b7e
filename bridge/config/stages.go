package config

import (
	"fmt"
	"slices"
	"strings"
)

// deriveStages warns of what would go wrong in another mode than today's.
func (c *Config) deriveStages() {
	observing := c.Migration.Mode == Observe
	if sameServer(c) {
		now := "leave airflow2.url out: mode observe is no way back"
		if observing {
			now = "that is right until Airflow is upgraded; then the mode must be dual"
		}
		c.warn("airflow2.url is airflow3.url: %s, for observe would hand old credentials to Airflow 3 as they came, which answers them 401", now)
	}
	if observing && c.Whole() {
		for _, f := range loginFaults(*c) {
			c.warn("mode dual would not start with this configuration: %s: %s", f.Key, f.What)
		}
	}
}

// sameServer says whether both Airflows have one address: one of the two at most
// can be there.
func sameServer(c *Config) bool {
	a, b := c.Airflow2.URL, c.Airflow3.URL
	if a == nil || b == nil || a.Port() != b.Port() {
		return false
	}
	return a.Scheme == b.Scheme && (strings.EqualFold(a.Hostname(), b.Hostname()) || isLocal(a.Hostname()) && isLocal(b.Hostname()))
}

// loginFaults say why the login page would not start. While observing nothing
// writes and nothing sets a cookie, and before an upgrade the two databases may
// well be one: then they are warnings.
func loginFaults(c Config) []Fault {
	v := &validation{}
	v.login(c)
	return v.faults
}

// passedOver notes which variables of the environment would have filled keys of
// Airflow 2's, had they not been those of the Airflow that the bridge runs beside.
func (l *loader) passedOver() {
	if l.config.Airflow3.ConfigFile == "" {
		return // then they count, if airflow2.config is set
	}
	for _, fill := range airflow2Fillings() {
		name := "AIRFLOW__" + strings.ToUpper(fill.section) + "__" + strings.ToUpper(fill.key)
		at := slices.IndexFunc(l.source.Environ, func(pair string) bool {
			seen, _, _ := strings.Cut(pair, "=")
			return seen == name || seen == name+"_CMD" || seen == name+"_SECRET"
		})
		if at < 0 {
			continue
		}
		seen, _, _ := strings.Cut(l.source.Environ[at], "=")
		if l.ignored[fill.path] == "" {
			l.ignored[fill.path] = seen
		}
		// What Airflow 3 knows too may well be meant for it; and whoever names no file
		// of Airflow 2's expects nothing of its variables.
		_, given := l.origins[fill.path]
		ofAirflow2 := fill.section == "webserver" || fill.key == "auth_backends" || fill.key == "google_oauth2_audience"
		if ofAirflow2 && !given && l.config.Airflow2.ConfigFile != "" {
			l.config.warn("%s", wasIgnored(seen, fill.path))
		}
	}
}

// wasIgnored tells of such a variable, and what to do. It never tells its value.
func wasIgnored(name, path string) string {
	return fmt.Sprintf("%s is in the environment, and not read for Airflow 2: beside airflow3.config the environment is Airflow 3's. Write its value into %s, or into the file that airflow2.config names", name, path)
}

// hint is what to add to a fault of a key for which such a variable is there.
func (l *loader) hint(path string) string {
	if name := l.ignored[path]; name != "" {
		return ". " + wasIgnored(name, path)
	}
	return ""
}
