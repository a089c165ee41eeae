CREATE TABLE device (
    handle        BLOB PRIMARY KEY CHECK (length(handle) = 8),
    serial        TEXT NOT NULL,
    model         TEXT NOT NULL,
    public_key    BLOB NOT NULL CHECK (length(public_key) = 32),
    psk           BLOB CHECK (psk IS NULL OR length(psk) = 32),
    signed_at_s   INTEGER NOT NULL,
    revoked_at_s  INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX device_serial ON device (serial) WHERE revoked_at_s IS NULL;

-- The newest challenge of a sequence: what is older has been replaced on the recorder.
CREATE TABLE newest (
    handle   BLOB NOT NULL,
    life     BLOB NOT NULL,
    door     INTEGER NOT NULL,
    purpose  INTEGER NOT NULL,
    counter  INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    PRIMARY KEY (handle, life, door, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
    id             BLOB PRIMARY KEY CHECK (length(id) = 16),
    digest         BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    handle         BLOB NOT NULL,
    purpose        INTEGER NOT NULL,
    sealed         BLOB,
    received_at_s  INTEGER NOT NULL,
    expires_at_s   INTEGER NOT NULL,
    resent_at_s    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX request_expiry ON request (expires_at_s);

CREATE TABLE mail (
    id             INTEGER PRIMARY KEY,
    request        BLOB NOT NULL REFERENCES request (id) ON DELETE CASCADE,
    recipient      INTEGER NOT NULL,
    token          BLOB NOT NULL UNIQUE,
    state          INTEGER NOT NULL DEFAULT 0,
    reason         INTEGER,
    attempts       INTEGER NOT NULL DEFAULT 0,
    transmissions  INTEGER NOT NULL DEFAULT 0,
    due_at_s       INTEGER NOT NULL,
    UNIQUE (request, recipient)
) STRICT;
CREATE INDEX mail_due ON mail (due_at_s) WHERE state = 0;

CREATE TABLE used (
    key        BLOB NOT NULL,
    window     INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    ends_at_s  INTEGER NOT NULL,
    PRIMARY KEY (key, window)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_end ON used (ends_at_s);
