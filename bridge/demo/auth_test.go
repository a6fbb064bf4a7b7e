package demo_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

const (
	asJSON     = "Content-Type: application/json"
	asForm     = "Content-Type: application/x-www-form-urlencoded"
	noBody     = `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}`
	badLogin   = `{"detail":"Invalid credentials"}`
	noLogin    = `{"detail":"Username and password must be provided"}`
	crash      = "Internal Server Error"
	someToken  = `{"access_token":"eyJhbGciOiJIUzUxMiIsImtpZCI6Im5vdC11c2VkIiwidHlwIjoiSldUIn0.`
	notAllowed = `{"detail":"Method Not Allowed"}`
)

// What the token API of a real Airflow 3.3.2 answered, with each manager.
func TestTokenAPI(t *testing.T) {
	for _, c := range []struct {
		manager, target, contentType, body string
		status                             int
		want                               string
	}{
		{"fab", "/auth/token", asJSON, `{"username":"admin","password":"admin"}`, 201, someToken},
		{"fab", "/auth/token", asJSON + "; charset=utf-8", `{"username":"op","username":"admin","password":"admin"}`, 201, someToken},
		{"fab", "/auth/token", "Content-Type: APPLICATION/JSON", `{"username":"ADMIN","password":"admin","x":1}`, 201, someToken},
		{"fab", "/auth/token", "Content-Type: application/vnd.api+json", `{"username":"Admin@example.com","password":"admin"}`, 201, someToken},
		{"fab", "/auth/token/cli", asJSON, `{"username":"viewer","password":"viewer"}`, 201, someToken},
		{"fab", "/auth/token", asForm, "username=admin&password=admin", 422, `{"detail":[{"type":"dict_type","loc":["body"],"msg":"Input should be a valid dictionary","input":"username=admin&password=admin"}]}`},
		{"fab", "/auth/token", asJSON, `{"username":"admin","password":"wrong"}`, 401, badLogin},
		{"fab", "/auth/token", asJSON, `{"username":"nobody","password":"nobody"}`, 401, badLogin},
		{"fab", "/auth/token", asJSON, `{"username":"","password":"x"}`, 400, noLogin},
		{"fab", "/auth/token", asJSON, `{"username":"admin"}`, 400, noLogin},
		{"fab", "/auth/token", asJSON, `{"username":"admin","password":1}`, 500, crash},
		{"fab", "/auth/token", asJSON, `{"username":`, 422, `{"detail":[{"type":"json_invalid","loc":["body",12],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting value"}}]}`},
		{"fab", "/auth/token", asJSON, `[]`, 422, `{"detail":[{"type":"dict_type","loc":["body"],"msg":"Input should be a valid dictionary","input":[]}]}`},
		{"fab", "/auth/token", asJSON, `null`, 422, noBody},
		{"fab", "/auth/token", asJSON, "", 422, noBody},
		{"fab", "/auth/token", asForm, "", 422, noBody},
		{"simple", "/auth/token", asJSON, `{"username":"admin","password":"admin"}`, 201, someToken},
		{"simple", "/auth/token", asForm, "username=admin&password=admin&x=1", 201, someToken},
		{"simple", "/auth/token", asForm, "username=admin&password=x", 401, badLogin},
		{"simple", "/auth/token", asForm, "username=admin", 422, `{"detail":"`},
		{"simple", "/auth/token", "Content-Type: text/plain", `{}`, 415, `{"detail":"Only application/json or application/x-www-form-urlencoded is supported"}`},
		{"simple", "/auth/token", asJSON, "", 500, crash},
		{"simple", "/auth/token", asJSON, "x", 500, crash},
		{"simple", "/auth/token", asJSON, "[]", 500, crash},
		{"simple", "/auth/token", asJSON, `{"username":"ADMIN","password":"admin"}`, 401, badLogin},
		{"simple", "/auth/token", asJSON, `{"username":"admin@example.com","password":"admin"}`, 401, badLogin},
		{"simple", "/auth/token", asJSON, `{"username":"admin","password":""}`, 400, noLogin},
		{"simple", "/auth/token", asJSON, `{"username":"admin","password":null}`, 422, `{"detail":"`},
		{"simple", "/auth/token", asJSON, `{"username":"admin","password":"admin","x":1}`, 422, `{"detail":"`},
		{"simple", "/auth/token/cli", asJSON, `{"username":"op","password":"op"}`, 201, someToken},
		{"simple", "/auth/token/cli", asJSON, `{"username":"op","password":1}`, 422, `{"detail":[{"type":"string_type",`},
		{"simple", "/auth/token/cli", asJSON, `{"username":"op","password":"op","x":1}`, 422, `{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted","input":1}]}`},
		{"simple", "/auth/token/cli", asForm, "username=op&password=op", 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":"username=op&password=op"}]}`},
		{"simple", "/auth/token/cli", asJSON, "", 422, noBody},
		{"simple", "/auth/token/", asJSON, "{}", 405, notAllowed},
	} {
		// Neither header is looked at.
		w := ask(airflow(t, c.manager), "POST", c.target, c.body, c.contentType, "Authorization: Basic YWRtaW46YWRtaW4=")
		if w.Code != c.status || !strings.HasPrefix(w.Body.String(), c.want) || len(w.Header()["Set-Cookie"]) > 0 {
			t.Errorf("%s %s %s %q: %d %s\nwant %d %s", c.manager, c.target, c.contentType, c.body, w.Code, w.Body, c.status, c.want)
		}
	}
	for method, want := range map[string]int{"GET": 403, "PUT": 405, "OPTIONS": 405} {
		if w := ask(airflow(t, "simple"), method, "/auth/token", ""); w.Code != want || want == 405 && w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

func TestTokensThatItSigns(t *testing.T) {
	for _, c := range []struct {
		manager, target, begins string
		life                    int64
	}{
		{"fab", "/auth/token", `{"sub":"2","jti":"`, 86400}, {"fab", "/auth/token/cli", `{"sub":"2","jti":"`, 3600},
		{"simple", "/auth/token", `{"sub":"op","role":"op","teams":[],"jti":"`, 86400},
	} {
		h := airflow(t, c.manager)
		var reply struct {
			Token string `json:"access_token"`
		}
		w := ask(h, "POST", c.target, `{"username":"op","password":"op"}`, asJSON)
		if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
			t.Fatal(err)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(reply.Token, ".")[1])
		var claims struct {
			ID            string `json:"jti"`
			Aud           string
			Nbf, Exp, Iat int64
		}
		if err != nil || json.Unmarshal(payload, &claims) != nil || !strings.HasPrefix(string(payload), c.begins) {
			t.Fatalf("%v: %s", err, payload)
		}
		if claims.Aud != "apache-airflow" || claims.Exp-claims.Iat != c.life || claims.Nbf != now.Unix() || claims.Iat != now.Unix() || len(claims.ID) != 32 {
			t.Errorf("%+v", claims)
		}
		if w := ask(h, "GET", "/api/v2/connections", "", "Authorization: Bearer "+reply.Token); w.Code != 200 {
			t.Errorf("does not take its own token: %d %s", w.Code, w.Body)
		}
	}
}
