package airflowcfg

// rules are what hangs on Airflow's version: airflow/config_templates/config.yml
// and deprecated_options, as far as the bridge asks.
type rules struct {
	// deprecated maps an option to its older name.
	deprecated map[option]option
	// sensitive are the options that may come from a command or a secrets
	// backend, their deprecated names included.
	sensitive map[option]bool
	// defaults are Airflow's own. Airflow draws jwt_secret at random when it
	// writes its first airflow.cfg; until then it is empty. A secret_key that each
	// process draws for itself is no default.
	defaults map[option]string
}

// airflowHome stands for AIRFLOW_HOME in a default.
const airflowHome = "{AIRFLOW_HOME}"

func rulesOf(v Version) (rules, bool) {
	switch v {
	case Airflow2:
		return rules{
			deprecated: map[option]option{
				{"api", "auth_backends"}:                {"api", "auth_backend"},
				{"fab", "auth_rate_limit"}:              {"webserver", "auth_rate_limit"},
				{"fab", "auth_rate_limited"}:            {"webserver", "auth_rate_limited"},
				{"api", "access_control_allow_origins"}: {"api", "access_control_allow_origin"},
				{"database", "sql_alchemy_conn"}:        {"core", "sql_alchemy_conn"},
				{"database", "sql_alchemy_schema"}:      {"core", "sql_alchemy_schema"},
			},
			sensitive: map[option]bool{
				{"database", "sql_alchemy_conn"}: true,
				{"core", "sql_alchemy_conn"}:     true,
				{"core", "fernet_key"}:           true,
				{"webserver", "secret_key"}:      true,
			},
			defaults: map[option]string{
				{"api", "auth_backends"}:                "airflow.api.auth.backend.session",
				{"api", "access_control_allow_headers"}: "",
				{"api", "access_control_allow_methods"}: "",
				{"api", "access_control_allow_origins"}: "",
				{"database", "sql_alchemy_conn"}:        "sqlite:///" + airflowHome + "/airflow.db",
				{"database", "sql_alchemy_schema"}:      "",
				{"webserver", "base_url"}:               "http://localhost:8080",
			},
		}, true
	case Airflow3:
		return rules{
			deprecated: map[option]option{
				{"api", "base_url"}:              {"webserver", "base_url"},
				{"api", "secret_key"}:            {"webserver", "secret_key"},
				{"database", "sql_alchemy_conn"}: {"core", "sql_alchemy_conn"},
			},
			sensitive: map[option]bool{
				{"api", "secret_key"}:            true,
				{"webserver", "secret_key"}:      true,
				{"api_auth", "jwt_secret"}:       true,
				{"core", "fernet_key"}:           true,
				{"core", "sql_alchemy_conn"}:     true,
				{"database", "sql_alchemy_conn"}: true,
			},
			defaults: map[option]string{
				{"api", "access_control_allow_headers"}:    "",
				{"api", "access_control_allow_methods"}:    "",
				{"api", "access_control_allow_origins"}:    "",
				{"api_auth", "jwt_expiration_time"}:        "86400",
				{"api_auth", "jwt_cli_expiration_time"}:    "3600",
				{"api_auth", "jwt_leeway"}:                 "10",
				{"api_auth", "jwt_secret"}:                 "",
				{"core", "auth_manager"}:                   "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
				{"core", "multi_team"}:                     "False",
				{"core", "simple_auth_manager_all_admins"}: "False",
				{"core", "simple_auth_manager_users"}:      "admin:admin",
				{"database", "sql_alchemy_conn"}:           "sqlite:///" + airflowHome + "/airflow.db",
				{"database", "sql_alchemy_schema"}:         "",
			},
		}, true
	}
	return rules{}, false
}
