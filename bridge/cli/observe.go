package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/jetbridge/jetbridge/bridge"
	"github.com/jetbridge/jetbridge/bridge/apiv1"
	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/bridge/proxy"
	"github.com/jetbridge/jetbridge/bridge/route"
	"github.com/jetbridge/jetbridge/legacy/basic"
)

// observe makes what stands in front of the running Airflow 2 and only looks on.
// Where Airflow 3 is configured already, its parts are made too: that they would
// not hold up in mode dual must be known before the day, and hinders nobody now.
func (a *assembler) observe(t *taker, s *snapshot) error {
	cfg := s.cfg
	if cfg.Whole() {
		if s.notDual = a.parts(t, s); s.notDual != nil {
			s.warnings = append(s.warnings, "mode dual would not start with this configuration: "+s.notDual.Error())
		}
	}
	// The paths are those that Airflow 2 serves now.
	routes, err := route.New(route.Config{BasePath: cfg.LegacyBasePath, LegacyBasePath: cfg.LegacyBasePath})
	if err != nil {
		return err
	}
	observer, err := bridge.NewObserver(bridge.ObserverConfig{
		Routes: routes, TrustedProxies: cfg.TrustedProxies, BasicUser: basicUser, SessionCookie: cfg.Legacy.Session.CookieName, Operation: apiv1.OperationOf(),
	})
	if err != nil {
		return err
	}
	way, err := connect(cfg.Airflow2.URL, cfg.Airflow2.CAFile, cfg.Airflow3.IdleTimeout, cfg.Airflow3.AnswerTimeout)
	if err != nil {
		return fmt.Errorf("airflow2.ca_file: %w", err)
	}
	if s.old, err = a.transport(t, way); err != nil {
		return fmt.Errorf("airflow2.ca_file: %w", err)
	}
	forward, err := proxy.New(proxy.Config{Upstream: cfg.Airflow2.URL, Transport: s.old, Version: cfg.Airflow2.Version, Now: a.now})
	if err != nil {
		return err
	}
	s.handler, err = bridge.NewHandler(bridge.HandlerConfig{
		Decider: observer, Forward: forward, Version: cfg.Airflow2.Version, Sink: a.sink, Now: a.now,
	})
	return err
}

func basicUser(authorization string) (string, bool) {
	user, _, ok := basic.Parse(authorization)
	return user, ok
}

// upstreamOf says where a configuration sends requests.
func upstreamOf(cfg *config.Config) string {
	if cfg.Migration.Mode == config.Observe {
		return cfg.Airflow2.URL.String()
	}
	return cfg.Airflow3.URL.String()
}

// airflow2 asks the Airflow that is observed who it is, by what it tells
// everybody.
func (c *checker) airflow2(ctx context.Context) []finding {
	if c.snapshot.old == nil {
		return nil
	}
	const part = "airflow2"
	url := c.cfg.Airflow2.URL.String() + c.cfg.LegacyBasePath
	res, body, err := c.get(ctx, c.snapshot.old, url+"/api/v1/version", "")
	if err != nil {
		return []finding{{Part: part, Detail: err.Error(), Todo: "airflow2.url must be where Airflow 2's web server listens, as seen from here"}}
	}
	var v struct{ Version string }
	if res.StatusCode != http.StatusOK || json.Unmarshal(body, &v) != nil || v.Version == "" {
		if version := c.airflow3At(ctx, url); version != "" {
			return []finding{{Part: part, Detail: fmt.Sprintf("%s is Airflow %s, which is handed old credentials as they came and answers them 401", url, version),
				Todo: "set migration.mode: dual, now that Airflow is upgraded; airflow2.url must be an Airflow 2 that still runs"}}
		}
		return []finding{{Part: part, Detail: fmt.Sprintf("%s/api/v1/version answers %d, and not as Airflow 2 does", url, res.StatusCode),
			Todo: "is airflow2.url an Airflow 2, and legacy_base_path the path of its [webserver] base_url?"}}
	}
	found := []finding{{Part: part, OK: true, Detail: fmt.Sprintf("%s is Airflow %s", url, v.Version)}}
	switch {
	case !c.cfg.Whole():
		found = append(found, finding{Part: "airflow3", OK: true, Detail: "not configured yet: mode dual will need airflow3, legacy.auth_backends and modern.secret"})
	case c.snapshot.notDual != nil:
		found = append(found, finding{Part: "airflow3", Detail: c.snapshot.notDual.Error(), Todo: "observe goes on, but mode dual would not start: mend this before the day"})
	}
	return found
}

// airflow3At is the version of the Airflow 3 that answers at url; empty for none.
func (c *checker) airflow3At(ctx context.Context, url string) string {
	res, body, err := c.get(ctx, c.snapshot.old, url+"/api/v2/version", "")
	var v struct{ Version string }
	if err != nil || res.StatusCode != http.StatusOK || json.Unmarshal(body, &v) != nil {
		return ""
	}
	return v.Version
}
