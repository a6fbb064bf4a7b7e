package legacy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jetbridge/jetbridge/legacy"
)

const (
	core = "airflow.api.auth.backend."
	fab  = "airflow.providers.fab.auth_manager.api.auth.backend."
)

func TestParseBackends(t *testing.T) {
	session := legacy.Backend{Name: core + "session", Scheme: legacy.Session}
	appended := legacy.Backend{Name: core + "session", Scheme: legacy.Session, Appended: true}
	for name, test := range map[string]struct {
		list    string
		airflow bool
		ignore  []string
		want    legacy.Backends
	}{
		"literal short names, in order": {
			list: "session, basic_auth,kerberos,google_openid",
			want: legacy.Backends{{Name: "session", Scheme: legacy.Session}, {Name: "basic_auth", Scheme: legacy.Basic}, {Name: "kerberos", Scheme: legacy.Kerberos}, {Name: "google_openid", Scheme: legacy.OpenID}},
		},
		"every module of Airflow's": {
			list: "airflow.auth.managers.fab.api.auth.backend.kerberos_auth," + fab + "basic_auth," + fab + "session,airflow.providers.google.common.auth_backend.google_openid",
			want: legacy.Backends{{Name: "airflow.auth.managers.fab.api.auth.backend.kerberos_auth", Scheme: legacy.Kerberos}, {Name: fab + "basic_auth", Scheme: legacy.Basic}, {Name: fab + "session", Scheme: legacy.Session}, {Name: "airflow.providers.google.common.auth_backend.google_openid", Scheme: legacy.OpenID}},
		},
		"a literal list is literal":                 {list: core + "basic_auth", want: legacy.Backends{{Name: core + "basic_auth", Scheme: legacy.Basic}}},
		"Airflow appends session":                   {list: core + "basic_auth", airflow: true, want: legacy.Backends{{Name: core + "basic_auth", Scheme: legacy.Basic}, appended}},
		"Airflow has session":                       {list: core + "session," + core + "basic_auth", airflow: true, want: legacy.Backends{session, {Name: core + "basic_auth", Scheme: legacy.Basic}}},
		"Airflow's empty list":                      {airflow: true, want: legacy.Backends{appended}},
		"Airflow's lone deny_all":                   {list: core + "deny_all", airflow: true, want: legacy.Backends{appended}},
		"a literal deny_all":                        {list: core + "deny_all"},
		"deny_all blocks nothing":                   {list: "deny_all,basic_auth", want: legacy.Backends{{Name: "basic_auth", Scheme: legacy.Basic}}},
		"Airflow's lone default":                    {list: core + "default", airflow: true, want: legacy.Backends{{Name: core + "default", Scheme: legacy.AnonymousScheme}}},
		"Airflow's default among others":            {list: core + "default," + core + "basic_auth", airflow: true, want: legacy.Backends{{Name: core + "default", Scheme: legacy.AnonymousScheme}, {Name: core + "basic_auth", Scheme: legacy.Basic}, appended}},
		"FAB's session is not the core's":           {list: fab + "session", airflow: true, want: legacy.Backends{{Name: fab + "session", Scheme: legacy.Session}}},
		"duplicates collapse":                       {list: "basic_auth," + fab + "basic_auth," + core + "basic_auth", want: legacy.Backends{{Name: "basic_auth", Scheme: legacy.Basic}}},
		"unknown, but ignored":                      {list: "my.backend,basic_auth", ignore: []string{"my.backend"}, want: legacy.Backends{{Name: "basic_auth", Scheme: legacy.Basic}}},
		"known, but ignored":                        {list: "kerberos,basic_auth", ignore: []string{"kerberos"}, want: legacy.Backends{{Name: "basic_auth", Scheme: legacy.Basic}}},
		"appended, but ignored":                     {list: core + "basic_auth", airflow: true, ignore: []string{core + "session"}, want: legacy.Backends{{Name: core + "basic_auth", Scheme: legacy.Basic}}},
		"a short name stands for all of its scheme": {list: core + "basic_auth", airflow: true, ignore: []string{"session"}, want: legacy.Backends{{Name: core + "basic_auth", Scheme: legacy.Basic}}},
		"a custom one that holds the name":          {list: "my." + core + "session.x", airflow: true, ignore: []string{"my." + core + "session.x"}},
	} {
		t.Run(name, func(t *testing.T) {
			var list []string
			if test.list != "" {
				list = strings.Split(test.list, ",")
			}
			before := strings.Join(list, ",")
			got, err := legacy.ParseBackends(list, test.airflow, test.ignore)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Join(list, ",") != before {
				t.Error("the caller's list was changed")
			}
		})
	}
}

func TestUnknownBackends(t *testing.T) {
	for _, list := range [][]string{
		{"basic_auth", "my.backend"}, {"basic"}, {"Basic_Auth"}, {core + "kerberos"}, {core + "google_openid"}, {core}, {"basic_auth", ""},
		{"airflow.providers.google.common.auth_backend.basic_auth"},
	} {
		got, err := legacy.ParseBackends(list, false, nil)
		if err == nil || got != nil {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	_, err := legacy.ParseBackends([]string{"one.backend", "two.backend"}, true, nil)
	for _, want := range []string{"one.backend", "two.backend", "basic_auth", "kerberos_auth", "google_openid", "session", "legacy.ignore_backends"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell %q: %v", want, err)
		}
	}
}
