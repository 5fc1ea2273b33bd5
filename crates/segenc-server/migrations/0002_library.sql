-- A result that is not smaller than its source is thrown away.
ALTER TABLE wishes ADD COLUMN only_if_smaller INTEGER NOT NULL DEFAULT 0;

-- Why the server itself ended a job: what a rule says.
CREATE TABLE notes (
    job  INTEGER PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;

-- Watch folders made over REST; the body is their settings.
CREATE TABLE watch_folders (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- What became of the files in watch folders, so that nothing is encoded twice.
CREATE TABLE watched_files (
    folder   TEXT    NOT NULL,
    path     TEXT    NOT NULL,
    size     INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    reason   TEXT,
    job      INTEGER,
    output   TEXT,
    noted    INTEGER NOT NULL,
    PRIMARY KEY (folder, path)
) STRICT;

-- Who is told, made over REST; the body holds secrets.
CREATE TABLE notifications (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- Messages on their way.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    target   TEXT    NOT NULL,
    event    TEXT    NOT NULL,
    tries    INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    created  INTEGER NOT NULL
) STRICT;

-- Single facts, such as up to when the ends of jobs were told.
CREATE TABLE marks (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
