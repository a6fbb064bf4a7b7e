package apiv1

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jetbridge/jetbridge/bridge"
)

// fab is the auth manager that has users, roles and permissions.
const fab = "fab"

// users are the operations about users, roles and permissions, which Airflow 2 had
// in its API, and Airflow 3 has in that of the auth manager FAB.
func users() []operation {
	const (
		api    = " /auth/fab/v1"
		noRole = "Role not found"
		noUser = "User not found"

		members = "username email first_name last_name password roles"
	)
	name := objectOf(same("name"))
	pair := objectOf([]field{{name: "action", from: []string{"action"}, as: name}, {name: "resource", from: []string{"resource"}, as: name}})
	role := objectOf(same("name"), []field{{name: "actions", from: []string{"actions"}, as: list{pair}, null: "[]"}})
	action := objectOf([]field{{name: "name", from: []string{"action"}, as: inner{"name", asIs{}}}})
	user := objectOf(same("username", "email", "first_name", "last_name", "active", "login_count", "fail_login_count"),
		times("last_login", "created_on", "changed_on"), []field{{name: "roles", from: []string{"roles"}, as: list{name}, null: "[]"}})
	operations := []operation{
		{id: "get_roles", at: "GET /roles", query: "limit offset order_by", answer: page{rows: "roles", of: role}},
		{id: "post_role", at: "POST /roles", body: "name actions", answer: role},
		{id: "get_role", at: "GET /roles/{role_name}", answer: role, missing: noRole},
		{id: "patch_role", at: "PATCH /roles/{role_name}", query: "update_mask", body: "name actions", answer: role, missing: noRole, prepare: addToRole},
		{id: "delete_role", at: "DELETE /roles/{role_name}", missing: noRole},
		{id: "get_permissions", at: "GET /permissions", query: "limit offset", answer: page{rows: "actions", of: action}, do: listActions},
		{
			id: "get_users", at: "GET /users",
			query: "limit offset order_by", order: "user_name>username is_active>active",
			answer: page{rows: "users", of: user},
		},
		{id: "post_user", at: "POST /users", body: members, answer: user},
		{id: "get_user", at: "GET /users/{username}", answer: user, missing: noUser},
		{id: "patch_user", at: "PATCH /users/{username}", query: "update_mask", body: members, answer: user, missing: noUser, prepare: maskAsText},
		{id: "delete_user", at: "DELETE /users/{username}", missing: noUser},
	}
	for i := range operations {
		op := &operations[i]
		op.to, op.manager = strings.Replace(op.at, " ", api, 1), fab
	}
	return operations
}

// managed refuses an operation that Airflow 3's auth manager does not have, as
// Airflow 2 did.
func (c *call) managed() error {
	switch {
	case c.op.manager == "":
		return nil
	case c.op.manager != c.manager:
		return badRequest("", "This endpoint is only available with the auth manager "+c.op.manager+
			". Airflow 3 runs another one here, and its users are managed there.")
	case c.fab.has(c, c.op.upstream):
		return nil
	}
	return &problemError{status: http.StatusNotImplemented, detail: "The API of this FAB provider takes no tokens for what " + c.op.id +
		" needs, so it cannot be translated. A later apache-airflow-providers-fab does: 3.2 has all of it."}
}

// fabAPI remembers which operations of FAB's take tokens. Those that FAB had in
// Airflow 2 take none, and gave way to others with the same paths one by one.
type fabAPI struct {
	mu    sync.Mutex
	known map[string]bool // by method in small letters and path without parameters
	asked time.Time
}

// has says whether an operation takes tokens. FAB is asked what it has, and again
// from time to time; where it does not say, that is left to the call itself.
func (f *fabAPI) has(c *call, op target) bool {
	f.mu.Lock()
	known, fresh := f.known, c.now().Sub(f.asked) < recheck
	f.mu.Unlock()
	if !fresh {
		var described struct {
			Paths map[string]map[string]json.RawMessage
		}
		public := *c
		public.d.Verdict = bridge.PassAsIs // nobody's token is needed there
		if public.fetch(c.r.Context(), request{method: http.MethodGet, path: "/auth/openapi.json"}, &described) != nil {
			return true
		}
		known = map[string]bool{}
		for path, methods := range described.Paths {
			for method := range methods {
				known[method+" /auth"+fill(path, nil)] = true
			}
		}
		f.mu.Lock()
		f.known, f.asked = known, c.now()
		f.mu.Unlock()
	}
	return known[strings.ToLower(op.method)+" "+fill(op.path, nil)]
}

// maskAsText says the mask as FAB wants it, in one text.
func maskAsText(c *call) error {
	if !c.query.Has("update_mask") {
		return nil
	}
	changes, err := c.changes("")
	c.query.Set("update_mask", strings.Join(changes, ","))
	return err
}

// A permission is to do something with something.
type permission struct {
	Action   struct{ Name string } `json:"action"`
	Resource struct{ Name string } `json:"resource"`
}

// MarshalJSON spells the names as FAB does.
func (p permission) MarshalJSON() ([]byte, error) {
	return []byte(`{"action":{"name":` + quoted(p.Action.Name) + `},"resource":{"name":` + quoted(p.Resource.Name) + `}}`), nil
}

// addToRole adds permissions to a role, as Airflow 2 did. FAB since 3.9 takes away
// those that are not sent, so the ones that the role has are sent, too; before, it
// added them even where the mask leaves them out, so then none are sent.
func addToRole(c *call) error {
	changes, err := c.changes("")
	if err != nil {
		return err
	}
	c.query.Set("update_mask", strings.Join(changes, ","))
	if !slices.Contains(changes, "actions") {
		c.body.drop("actions")
		return nil
	}
	var sent []permission
	if json.Unmarshal(c.body.get("actions"), &sent) != nil || slices.ContainsFunc(sent, permission.partial) {
		return badRequest("", "{'actions': ['Not a list of actions and resources with a name.']}")
	}
	var is struct{ Actions []permission }
	if err := c.fetch(c.r.Context(), c.reading(), &is); err != nil {
		return err
	}
	has := map[permission]bool{}
	for _, p := range is.Actions {
		has[p] = true
	}
	for _, p := range sent {
		if !has[p] {
			has[p] = true
			is.Actions = append(is.Actions, p)
		}
	}
	all, err := json.Marshal(is.Actions)
	c.body.set("actions", string(all))
	return err
}

func (p permission) partial() bool { return p.Action.Name == "" || p.Resource.Name == "" }

// listActions lists what may be done at all. FAB lists what may be done with what,
// so an action comes once for each resource.
func listActions(c *call) error {
	var actions []json.RawMessage
	seen := map[string]bool{}
	for n, total := 0, 1; n < total; {
		ask := c.request()
		ask.query.Set("limit", "100")
		ask.query.Set("offset", strconv.Itoa(n))
		var found struct {
			Actions []json.RawMessage
			Total   int `json:"total_entries"`
		}
		if err := c.fetch(c.r.Context(), ask, &found); err != nil {
			return err
		}
		for _, raw := range found.Actions {
			var p permission
			if json.Unmarshal(raw, &p) != nil {
				return errSyntax
			}
			if !seen[p.Action.Name] {
				seen[p.Action.Name] = true
				actions = append(actions, raw)
			}
			if len(actions) > maxPage {
				return errTooLarge
			}
		}
		n, total = n+len(found.Actions), found.Total
		if len(found.Actions) == 0 || n >= maxPages*defaultLimit {
			break
		}
	}
	return c.write(http.StatusOK, func(o *out) error {
		w := pageWriter{page: c.answer.(page), o: o, total: []byte(strconv.Itoa(len(actions)))}
		from := min(c.offset, len(actions))
		return w.whole(actions[from:min(from+c.rows, len(actions))])
	})
}
