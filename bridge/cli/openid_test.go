package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jetbridge/jetbridge/bridge/bridgetest"
	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/legacy/openid/openidtest"
)

// TestKeyFileIsReadAgain: keys from a file count as long as the file holds them.
func TestKeyFileIsReadAgain(t *testing.T) {
	issuer := openidtest.New(t)
	file := filepath.Join(t.TempDir(), "keys.json")
	a := newAssembler(t, bridgetest.NewClock(time.Now()))
	cfg := &config.Config{}
	cfg.Legacy.OpenID.Issuers = []config.Issuer{{Issuer: issuer.URL, Audience: []string{"a"}, KeyFile: file}}
	taken := &taker{shelf: &a.shelf}
	defer taken.release()
	with := func(keys []byte) (identity, error) {
		if err := os.WriteFile(file, keys, 0o600); err != nil {
			t.Fatal(err)
		}
		var id identity
		err := a.openid(taken, cfg, &id)
		return id, err
	}
	first, err := with(issuer.Keys())
	if err != nil {
		t.Fatal(err)
	}
	if same, err := with(issuer.Keys()); err != nil || same.idTokens != first.idTokens {
		t.Errorf("the same keys, another judge: %v", err)
	}
	issuer.Rotate()
	if next, err := with(issuer.Keys()); err != nil || next.idTokens == first.idTokens {
		t.Errorf("other keys, the same judge: %v", err)
	}
	if _, err := with([]byte("{}")); err == nil {
		t.Error("a file without keys is taken")
	}
}
