-- What happened, in order. `job` is set for everything that belongs to one job and goes with it.
CREATE TABLE events (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    job  INTEGER,
    body TEXT    NOT NULL
) STRICT;
CREATE INDEX events_of_job ON events (job) WHERE job IS NOT NULL;

-- What a job's creator asked for beside the job itself.
CREATE TABLE wishes (
    job             INTEGER PRIMARY KEY,
    idempotency_key TEXT UNIQUE,
    overwrite       INTEGER NOT NULL
) STRICT;

-- Files that were put into place for a job: only these may be replaced by it again.
CREATE TABLE placements (
    job    INTEGER PRIMARY KEY,
    path   TEXT    NOT NULL,
    size   INTEGER NOT NULL,
    sha256 TEXT    NOT NULL
) STRICT;

CREATE TABLE tokens (
    hash    TEXT    PRIMARY KEY,
    kind    TEXT    NOT NULL,
    worker  INTEGER,
    label   TEXT    NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT;

CREATE TABLE uploads (
    id      TEXT    PRIMARY KEY,
    name    TEXT    NOT NULL,
    size    INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;
