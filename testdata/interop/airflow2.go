package interop

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// Airflow2Config is what differs between one Airflow 2 and the next.
type Airflow2Config struct {
	// Backends is [api] auth_backends; empty: basic_auth of the FAB provider, to which Airflow appends session.
	Backends string
	// SessionBackend is [webserver] session_backend; empty: database.
	SessionBackend string
	// Tasks is whether it runs Dags: the logs of their tasks are then as full as Airflow's own.
	Tasks bool
	// Extra are further lines of airflow.cfg, sections included.
	Extra string
}

// FabBasic is the backend that judges Basic, by its name in Airflow 2.9 and later.
const FabBasic = "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth"

func (i *Installation) isAirflow2() bool { return strings.HasPrefix(i.Release, "2.") }

// NewAirflow2 lays out an Airflow 2 in home as [Installation.NewAirflow] does an Airflow 3. Nothing runs yet.
func (i *Installation) NewAirflow2(ctx context.Context, home string, cfg Airflow2Config) (*Airflow, error) {
	a, err := i.lay(ctx, home, FAB)
	if err != nil {
		return nil, err
	}
	return a, a.writeConfig2(cfg)
}

func (a *Airflow) writeConfig2(cfg Airflow2Config) error {
	if cfg.Backends == "" {
		cfg.Backends = FabBasic
	}
	if cfg.SessionBackend == "" {
		cfg.SessionBackend = "database"
	}
	level := "WARNING"
	if cfg.Tasks {
		level = "INFO"
	}
	text := fmt.Sprintf(`[core]
dags_folder = %s
load_examples = False
executor = SequentialExecutor

[database]
sql_alchemy_conn = sqlite:///%s

[api]
auth_backends = %s

[webserver]
secret_key = %s
session_backend = %s
expose_config = True

[logging]
logging_level = %s

[usage_data_collection]
enabled = False

%s`, a.install.Dags(), a.Database, cfg.Backends, a.Secret, cfg.SessionBackend, level, cfg.Extra)
	return os.WriteFile(a.Config, []byte(text), 0o600)
}

// StartWeb starts the web server of an Airflow 2 and returns when it is ready.
func (a *Airflow) StartWeb(ctx context.Context) error {
	_, port, _ := strings.Cut(a.address, ":")
	server, err := a.run(ctx, "webserver", "--hostname", "127.0.0.1", "--port", port, "--workers", "1")
	if err != nil {
		return err
	}
	return server.WaitReady(ctx, a.URL+"/api/v1/health")
}
