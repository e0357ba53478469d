CREATE TABLE sessions (
	token   BLOB PRIMARY KEY,           -- SHA-256 of the cookie's value
	user    TEXT NOT NULL,
	created INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE issues (
	id      INTEGER PRIMARY KEY,
	title   TEXT NOT NULL,
	body    TEXT NOT NULL,
	state   TEXT NOT NULL,
	rank    INTEGER NOT NULL,           -- place in the board's column, the largest on top
	author  TEXT NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL
);
CREATE INDEX issues_by_place ON issues (state, rank);

CREATE TABLE comments (
	id      INTEGER PRIMARY KEY,
	issue   INTEGER NOT NULL REFERENCES issues (id),
	author  TEXT NOT NULL,
	body    TEXT NOT NULL,
	created INTEGER NOT NULL
);
CREATE INDEX comments_by_issue ON comments (issue);

CREATE TABLE pages (
	id       INTEGER PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	revision INTEGER NOT NULL           -- the newest
);
CREATE TABLE revisions (
	page    INTEGER NOT NULL REFERENCES pages (id),
	number  INTEGER NOT NULL,           -- 1, 2, 3 … without a gap
	body    TEXT NOT NULL,
	author  TEXT NOT NULL,
	created INTEGER NOT NULL,
	PRIMARY KEY (page, number)
) WITHOUT ROWID;

CREATE TABLE files (
	id      INTEGER PRIMARY KEY,
	name    TEXT NOT NULL,
	type    TEXT NOT NULL,
	size    INTEGER NOT NULL,
	sha256  TEXT NOT NULL,
	author  TEXT NOT NULL,
	created INTEGER NOT NULL
);

CREATE TABLE events (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	kind    TEXT NOT NULL,
	url     TEXT NOT NULL,
	title   TEXT NOT NULL,
	user    TEXT NOT NULL,
	created INTEGER NOT NULL
);

CREATE VIRTUAL TABLE texts USING fts5 (title, body, url UNINDEXED, kind UNINDEXED);
