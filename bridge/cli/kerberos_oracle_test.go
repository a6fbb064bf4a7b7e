package cli_test

import (
	"net/http"
	"testing"

	"github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/jetbridge/jetbridge/legacy/kerberos/kerberostest"
)

// TestKerberosOracle: Apache's mod_auth_gssapi, on the same keytab, gives each
// client the same verdict.
func TestKerberosOracle(t *testing.T) {
	s := newKerberosSite(t)
	apache := s.apache(t)
	found := pythons(t)
	for _, k := range pythonKinds() {
		t.Run(k.python+" "+k.kind, func(t *testing.T) {
			ours := s.python(t, found[k.python], k.kind, s.bridge, "localhost", "get-only")
			theirs := s.python(t, found[k.python], k.kind, apache, "localhost", "get-only")
			if len(ours) != len(theirs) {
				t.Fatalf("%d cases and %d", len(ours), len(theirs))
			}
			for i, o := range ours {
				if o.OK != theirs[i].OK {
					t.Errorf("%s: ours %v (%s), Apache's %v (%s)", o.Case, o.OK, o.Saw, theirs[i].OK, theirs[i].Saw)
				}
			}
		})
	}
}

// TestKerberosOracleRefuses: what is no token of ours, Apache refuses too, and
// what is shown twice.
func TestKerberosOracleRefuses(t *testing.T) {
	s := newKerberosSite(t)
	apache := s.apache(t)
	login, err := s.kdc.Client("alice", kerberostest.Realm, "alicepw")
	if err != nil {
		t.Fatal(err)
	}
	defer login.Destroy()
	// As in legacy/kerberos: only test files may reach gokrb5's spnego.
	fresh := func() []byte {
		mech := spnego.SPNEGOClient(login, "HTTP/localhost")
		if err := mech.AcquireCred(); err != nil {
			t.Fatal(err)
		}
		token, err := mech.InitSecContext()
		if err != nil {
			t.Fatal(err)
		}
		b, err := token.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	status := func(base string, token []byte) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v2/dags", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", kerberostest.Header(token))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	edited := func(edit func([]byte) []byte) func() []byte { return func() []byte { return edit(fresh()) } }
	last := map[string][]byte{}
	for _, c := range []struct {
		name string
		make func() []byte
		want int
	}{
		{"good", fresh, 200},
		{"the same again", nil, 401},
		{"a byte behind", edited(func(b []byte) []byte { return append(b, 0) }), 401},
		{"a byte less", edited(func(b []byte) []byte { return b[:len(b)-1] }), 401},
		{"its last byte changed", edited(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), 401},
		{"NTLM", func() []byte { return []byte("NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2\x00\x00\x00\x00") }, 401},
		{"an empty list of mechanisms", func() []byte {
			return []byte("\x60\x10\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x06\x30\x04\xa0\x02\x30\x00")
		}, 401},
		{"no token of the mechanism", func() []byte { return kerberostest.Init(nil, nil, nil) }, 401},
		{"a second leg", func() []byte { return []byte("\xa1\x07\x30\x05\xa0\x03\x0a\x01\x01") }, 401},
		{"garbage", func() []byte { return []byte("garbage") }, 401},
	} {
		for who, base := range map[string]string{"the bridge": s.bridge, "Apache": apache} {
			token := last[who]
			if c.make != nil {
				token = c.make()
			}
			last[who] = token
			if got := status(base, token); got != c.want {
				t.Errorf("%s: %s says %d, want %d", c.name, who, got, c.want)
			}
		}
	}
}
