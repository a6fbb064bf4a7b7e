-- Where old passwords live: the user tables of an Airflow 2.10, with the names of Airflow 3's users under other ids.
-- Row 2 is viewer here and op there, so whoever takes an id across becomes somebody else. "gone" never came along.
-- The passwords are old-admin, old-op, old-viewer and old-gone, hashed by Werkzeug as two generations of Airflow did.
CREATE TABLE ab_user (
    id INTEGER NOT NULL PRIMARY KEY,
    first_name VARCHAR(256) NOT NULL,
    last_name VARCHAR(256) NOT NULL,
    username VARCHAR(512) COLLATE NOCASE NOT NULL UNIQUE,
    password VARCHAR(256),
    active BOOLEAN,
    email VARCHAR(512) NOT NULL UNIQUE,
    last_login DATETIME,
    login_count INTEGER,
    fail_login_count INTEGER,
    created_on DATETIME,
    changed_on DATETIME,
    created_by_fk INTEGER REFERENCES ab_user (id),
    changed_by_fk INTEGER REFERENCES ab_user (id)
);
CREATE TABLE ab_role (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL UNIQUE);
CREATE TABLE ab_user_role (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER REFERENCES ab_user (id),
    role_id INTEGER REFERENCES ab_role (id),
    UNIQUE (user_id, role_id)
);
INSERT INTO ab_role VALUES (1, 'Admin'), (2, 'Public'), (3, 'Viewer'), (4, 'User'), (5, 'Op');
INSERT INTO ab_user (id, first_name, last_name, username, password, active, email) VALUES
    (1, 'O', 'P', 'op', 'pbkdf2:sha256:260000$6WvKhHlc$b1ec3fa1ebf64deffaab6ff28a7e0a9c6e74188611af06d345e5ceefff1c3264', 1, 'op@example.com'),
    (2, 'V', 'R', 'viewer', 'scrypt:32768:8:1$0Ag5qeXYLpVi4aqJ$9c735881711039095793d9cf4ecb0344c95c694ec37a69b51425c86cc0f9833fd12a185cd753773ebf2dfd9ec6b4d5401106ffe4f871a0bbd64b9d4636118972', 1, 'viewer@example.com'),
    (3, 'A', 'N', 'admin', 'pbkdf2:sha256:260000$8ZibUoN9$79a5d6d81790c8fa24304b0ab50e93275649dca6c0d26809bf537568254c7792', 1, 'admin@example.com'),
    (4, 'G', 'E', 'gone', 'pbkdf2:sha256:260000$Ydq4npuz$5a10cf5a6f87383e86b314be94029b0ec232019b34858872456817feece735d9', 1, 'gone@example.com');
INSERT INTO ab_user_role (id, user_id, role_id) VALUES (1, 1, 5), (2, 2, 3), (3, 3, 1), (4, 4, 1);
