package translate_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jetbridge/jetbridge/bridge/translate"
	"github.com/jetbridge/jetbridge/legacy"
	"github.com/jetbridge/jetbridge/modern"
)

func TestClaims(t *testing.T) {
	simple := func(subject, role string, teams ...string) modern.Claims {
		if teams == nil {
			teams = []string{}
		}
		return modern.Claims{Subject: subject, Extra: map[string]any{"role": role, "teams": teams}}
	}
	user := func(name string, roles ...string) legacy.User {
		return legacy.User{ID: name, Name: name, Active: true, Roles: roles}
	}
	tests := []struct {
		name      string
		manager   translate.Manager
		roles     map[string]string
		principal legacy.Principal
		user      legacy.User
		want      modern.Claims
		err       error // nil, ErrNoRole, or errAny
	}{
		{
			name: "fab: the row id alone", manager: translate.FAB,
			principal: legacy.Principal{Name: "alice", Roles: []string{"Admin"}},
			user:      legacy.User{ID: "7", Name: "alice", Active: true, Roles: []string{"Viewer"}},
			want:      modern.Claims{Subject: "7"},
		},
		{
			name: "fab: no role is needed", manager: translate.FAB,
			principal: legacy.Principal{Name: "alice"}, user: legacy.User{ID: "7", Name: "alice"},
			want: modern.Claims{Subject: "7"},
		},
		{
			name: "fab: judged by Airflow 3", manager: translate.FAB,
			principal: legacy.Principal{Name: "alice", Subject: "12"}, user: legacy.User{ID: "7"},
			want: modern.Claims{Subject: "12"},
		},
		{name: "fab: no id", manager: translate.FAB, user: legacy.User{Name: "alice"}, err: errAny},
		{name: "fab: a name for an id", manager: translate.FAB, user: legacy.User{ID: "alice"}, err: errAny},
		{name: "fab: zero", manager: translate.FAB, user: legacy.User{ID: "0"}, err: errAny},
		{name: "fab: negative", manager: translate.FAB, user: legacy.User{ID: "-1"}, err: errAny},
		{name: "fab: what int() takes for 1", manager: translate.FAB, user: legacy.User{ID: "+1"}, err: errAny},
		{name: "fab: what int() takes for 1, again", manager: translate.FAB, user: legacy.User{ID: "01"}, err: errAny},
		{name: "fab: what int() takes for 1, judged by Airflow 3", manager: translate.FAB, principal: legacy.Principal{Subject: " 1"}, user: legacy.User{ID: "1"}, err: errAny},

		{
			name: "simple: the directory's role, in its letter case", manager: translate.Simple,
			principal: legacy.Principal{Name: "alice"}, user: user("alice", "aDmin"), want: simple("alice", "aDmin"),
		},
		{
			name: "simple: the directory's role is not raised by Airflow 2's", manager: translate.Simple,
			principal: legacy.Principal{Name: "alice", Roles: []string{"Admin"}}, user: user("alice", "viewer"), want: simple("alice", "viewer"),
		},
		{
			name: "simple: nor lowered", manager: translate.Simple,
			principal: legacy.Principal{Name: "alice", Roles: []string{"Viewer"}}, user: user("alice", "ADMIN"), want: simple("alice", "ADMIN"),
		},
		{
			name: "simple: a role of the directory that the manager does not know is none", manager: translate.Simple,
			principal: legacy.Principal{Name: "alice", Roles: []string{"Admin"}}, user: user("alice", "boss"), err: translate.ErrNoRole,
		},
		{
			name: "simple: the mapping is not for the directory", manager: translate.Simple, roles: map[string]string{"boss": "admin"},
			principal: legacy.Principal{Name: "alice"}, user: user("alice", "boss"), err: translate.ErrNoRole,
		},
		{
			name: "simple: a letter that only looks like one", manager: translate.Simple,
			principal: legacy.Principal{Name: "alice"}, user: user("alice", "admın"), err: translate.ErrNoRole,
		},
		{
			name: "simple: teams", manager: translate.Simple, principal: legacy.Principal{Name: "alice"},
			user: legacy.User{ID: "alice", Name: "alice", Roles: []string{"op"}, Teams: []string{"a", "b"}}, want: simple("alice", "op", "a", "b"),
		},
		{name: "simple: Viewer", manager: translate.Simple, principal: legacy.Principal{Roles: []string{"Viewer"}}, user: user("alice"), want: simple("alice", "viewer")},
		{name: "simple: User", manager: translate.Simple, principal: legacy.Principal{Roles: []string{"User"}}, user: user("alice"), want: simple("alice", "user")},
		{name: "simple: Op", manager: translate.Simple, principal: legacy.Principal{Roles: []string{"Op"}}, user: user("alice"), want: simple("alice", "op")},
		{name: "simple: Admin", manager: translate.Simple, principal: legacy.Principal{Roles: []string{"Admin"}}, user: user("alice"), want: simple("alice", "admin")},
		{
			name: "simple: the highest wins, strangers are passed over", manager: translate.Simple,
			principal: legacy.Principal{Roles: []string{"Viewer", "Op", "data-team", "User"}}, user: user("alice"), want: simple("alice", "op"),
		},
		{name: "simple: Public", manager: translate.Simple, principal: legacy.Principal{Roles: []string{"Public"}}, user: user("alice"), err: translate.ErrNoRole},
		{name: "simple: a role of Airflow 2 in another case", manager: translate.Simple, principal: legacy.Principal{Roles: []string{"admin", "ADMIN", " Admin"}}, user: user("alice"), err: translate.ErrNoRole},
		{name: "simple: no role at all", manager: translate.Simple, principal: legacy.Principal{Name: "alice"}, user: user("alice"), err: translate.ErrNoRole},
		{name: "simple: an empty role", manager: translate.Simple, principal: legacy.Principal{Roles: []string{""}}, user: user("alice"), err: translate.ErrNoRole},
		{
			name: "simple: a mapped role", manager: translate.Simple, roles: map[string]string{"data-team": "OP"},
			principal: legacy.Principal{Roles: []string{"data-team", "Viewer"}}, user: user("alice"), want: simple("alice", "op"),
		},
		{
			name: "simple: a mapping may narrow", manager: translate.Simple, roles: map[string]string{"Admin": "viewer"},
			principal: legacy.Principal{Roles: []string{"Admin"}}, user: user("alice"), want: simple("alice", "viewer"),
		},
		{
			name: "simple: judged by Airflow 3", manager: translate.Simple,
			principal: legacy.Principal{Name: "Alice", Subject: "alice", Roles: []string{"user"}, Teams: []string{"a"}},
			user:      user("bob", "admin"), want: simple("alice", "user", "a"),
		},
		{
			name: "simple: judged by Airflow 3, which says no role", manager: translate.Simple,
			principal: legacy.Principal{Subject: "alice"}, user: user("alice", "admin"), err: translate.ErrNoRole,
		},
		{
			name: "simple: groups are not roles", manager: translate.Simple,
			principal: legacy.Principal{Groups: []string{"Admin"}}, user: user("alice"), err: translate.ErrNoRole,
		},
		{name: "simple: no user", manager: translate.Simple, principal: legacy.Principal{Name: "alice", Roles: []string{"Admin"}}, err: errAny},

		{
			name: "alice of one realm", manager: translate.Simple,
			principal: legacy.Principal{Name: "alice@A"}, user: user("alice@A", "user"), want: simple("alice@A", "user"),
		},
		{
			name: "alice of another realm is another subject", manager: translate.Simple,
			principal: legacy.Principal{Name: "alice@B"}, user: user("alice@B", "user"), want: simple("alice@B", "user"),
		},
		{
			name: "C-38 a name that looks like JSON", manager: translate.Simple,
			principal: legacy.Principal{Name: `x","role":"ADMIN`}, user: user(`x","role":"ADMIN`, "viewer"),
			want: simple(`x","role":"ADMIN`, "viewer"),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules, err := translate.New(translate.Config{Manager: test.manager, Roles: test.roles})
			if err != nil {
				t.Fatal(err)
			}
			got, err := rules.Claims(test.principal, test.user)
			switch {
			case test.err == nil && err != nil, test.err != nil && err == nil:
				t.Fatalf("error %v, want %v", err, test.err)
			case errors.Is(err, translate.ErrNoRole) != (test.err == translate.ErrNoRole):
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var errAny = errors.New("any error but ErrNoRole")

// The claims as Airflow's serialize_user writes them: teams is a list, never null.
func TestClaimsAsJSON(t *testing.T) {
	rules, err := translate.New(translate.Config{Manager: translate.Simple})
	if err != nil {
		t.Fatal(err)
	}
	user := legacy.User{ID: "alice", Roles: []string{"admin"}, Teams: []string{"a"}}
	claims, err := rules.Claims(legacy.Principal{Name: "alice"}, user)
	if err != nil {
		t.Fatal(err)
	}
	user.Teams[0] = "changed"
	with, _ := json.Marshal(claims.Extra)
	user.Teams = nil
	claims, err = rules.Claims(legacy.Principal{Name: "alice"}, user)
	if err != nil {
		t.Fatal(err)
	}
	without, _ := json.Marshal(claims.Extra)
	if diff := cmp.Diff([]string{`{"role":"admin","teams":["a"]}`, `{"role":"admin","teams":[]}`}, []string{string(with), string(without)}); diff != "" {
		t.Error(diff)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]struct {
		config translate.Config
		says   string
	}{
		"no manager":          {translate.Config{}, "no auth manager"},
		"keycloak":            {translate.Config{Manager: "keycloak"}, "no auth manager"},
		"an unknown role":     {translate.Config{Manager: translate.Simple, Roles: map[string]string{"a": "boss"}}, `"boss"`},
		"an empty role":       {translate.Config{Manager: translate.Simple, Roles: map[string]string{"a": ""}}, `""`},
		"a mapping under FAB": {translate.Config{Manager: translate.FAB, Roles: map[string]string{"a": "admin"}}, "FAB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rules, err := translate.New(test.config)
			if err == nil || rules != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("New = %v, %v", rules, err)
			}
		})
	}
}
