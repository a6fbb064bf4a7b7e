CREATE TABLE ab_user (
	id INTEGER NOT NULL,
	first_name VARCHAR(256) NOT NULL,
	last_name VARCHAR(256) NOT NULL,
	username VARCHAR(512) COLLATE "NOCASE" NOT NULL,
	password VARCHAR(256),
	active BOOLEAN,
	email VARCHAR(512) NOT NULL,
	last_login DATETIME,
	login_count INTEGER,
	fail_login_count INTEGER,
	created_on DATETIME,
	changed_on DATETIME,
	created_by_fk INTEGER,
	changed_by_fk INTEGER,
	CONSTRAINT ab_user_pkey PRIMARY KEY (id),
	CONSTRAINT ab_user_username_uq UNIQUE (username),
	CONSTRAINT ab_user_email_uq UNIQUE (email),
	CONSTRAINT ab_user_created_by_fk_fkey FOREIGN KEY(created_by_fk) REFERENCES ab_user (id),
	CONSTRAINT ab_user_changed_by_fk_fkey FOREIGN KEY(changed_by_fk) REFERENCES ab_user (id)
);
CREATE TABLE ab_user_role (
	id INTEGER NOT NULL,
	user_id INTEGER,
	role_id INTEGER,
	CONSTRAINT ab_user_role_pkey PRIMARY KEY (id),
	CONSTRAINT ab_user_role_user_id_role_id_uq UNIQUE (user_id, role_id),
	CONSTRAINT ab_user_role_user_id_fkey FOREIGN KEY(user_id) REFERENCES ab_user (id) ON DELETE CASCADE,
	CONSTRAINT ab_user_role_role_id_fkey FOREIGN KEY(role_id) REFERENCES ab_role (id) ON DELETE CASCADE
);
CREATE TABLE ab_role (
	id INTEGER NOT NULL,
	name VARCHAR(64) NOT NULL,
	CONSTRAINT ab_role_pkey PRIMARY KEY (id),
	CONSTRAINT ab_role_name_uq UNIQUE (name)
);
CREATE TABLE ab_group (
	id INTEGER NOT NULL,
	name VARCHAR(100) NOT NULL,
	label VARCHAR(150),
	description VARCHAR(512),
	CONSTRAINT ab_group_pkey PRIMARY KEY (id),
	CONSTRAINT ab_group_name_uq UNIQUE (name)
);
CREATE TABLE ab_group_role (
	id INTEGER NOT NULL,
	group_id INTEGER,
	role_id INTEGER,
	CONSTRAINT ab_group_role_pkey PRIMARY KEY (id),
	CONSTRAINT ab_group_role_group_id_role_id_uq UNIQUE (group_id, role_id),
	CONSTRAINT ab_group_role_group_id_fkey FOREIGN KEY(group_id) REFERENCES ab_group (id) ON DELETE CASCADE,
	CONSTRAINT ab_group_role_role_id_fkey FOREIGN KEY(role_id) REFERENCES ab_role (id) ON DELETE CASCADE
);
CREATE INDEX idx_group_id ON ab_group_role (group_id);
CREATE INDEX idx_group_role_id ON ab_group_role (role_id);
CREATE TABLE ab_user_group (
	id INTEGER NOT NULL,
	user_id INTEGER,
	group_id INTEGER,
	CONSTRAINT ab_user_group_pkey PRIMARY KEY (id),
	CONSTRAINT ab_user_group_user_id_group_id_uq UNIQUE (user_id, group_id),
	CONSTRAINT ab_user_group_user_id_fkey FOREIGN KEY(user_id) REFERENCES ab_user (id) ON DELETE CASCADE,
	CONSTRAINT ab_user_group_group_id_fkey FOREIGN KEY(group_id) REFERENCES ab_group (id) ON DELETE CASCADE
);
CREATE INDEX idx_user_group_id ON ab_user_group (group_id);
CREATE INDEX idx_user_id ON ab_user_group (user_id);
CREATE TABLE session (
	id INTEGER NOT NULL,
	session_id VARCHAR(255),
	data BLOB,
	expiry DATETIME,
	PRIMARY KEY (id),
	UNIQUE (session_id)
);
CREATE TABLE revoked_token (
	jti VARCHAR(32) NOT NULL,
	exp TIMESTAMP NOT NULL,
	CONSTRAINT revoked_token_pkey PRIMARY KEY (jti)
);
CREATE INDEX idx_revoked_token_exp ON revoked_token (exp);
