package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Bridge is one running jetbridge.
type Bridge struct {
	URL string
	*Process
}

// Build compiles jetbridge from the sources around this folder into the file to.
func (i *Installation) Build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, ".")
	cmd.Dir = filepath.Join(i.here, "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// StartBridge runs `jetbridge serve` with a configuration of the given YAML beside its listeners, and returns when it
// is ready. Whatever it writes is in the folder name below dir.
func StartBridge(ctx context.Context, binary, dir, name, listen, yaml string) (*Bridge, error) {
	dir = filepath.Join(dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	metrics, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "jetbridge.yaml")
	text := fmt.Sprintf("listen: %s\nmetrics: {listen: %q}\n%s\n", listen, metrics, strings.TrimSpace(yaml))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "serve", "--config", config)
	cmd.Dir = dir
	cmd.Env = withoutPrefix(os.Environ(), "AIRFLOW", "JETBRIDGE")
	p, err := Start(ctx, "jetbridge "+name, filepath.Join(dir, "jetbridge.log"), cmd)
	if err != nil {
		return nil, err
	}
	return &Bridge{URL: "http://" + listen, Process: p}, p.WaitReady(ctx, "http://"+metrics+"/readyz")
}

// withoutPrefix drops the variables whose names begin with one of the prefixes.
func withoutPrefix(environ []string, prefixes ...string) []string {
	var kept []string
next:
	for _, pair := range environ {
		for _, prefix := range prefixes {
			if strings.HasPrefix(pair, prefix) {
				continue next
			}
		}
		kept = append(kept, pair)
	}
	return kept
}
