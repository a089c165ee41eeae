-- An account. Its address is sealed under a key that is not in the database, and found by a keyed hash.
CREATE TABLE account (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    name          TEXT NOT NULL,
    name_key      TEXT NOT NULL UNIQUE,
    email_key     BLOB NOT NULL UNIQUE CHECK (length(email_key) = 32),
    email         BLOB NOT NULL,
    password      TEXT NOT NULL,
    created_at_s  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who is signed in, by the hash of the cookie.
CREATE TABLE account_session (
    digest        BLOB PRIMARY KEY CHECK (length(digest) = 32),
    account       BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    expires_at_s  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX account_session_account ON account_session (account);

-- A code that was mailed to prove an address, by its keyed hash; without one nothing typed is right.
CREATE TABLE account_code (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    purpose       INTEGER NOT NULL,
    account       BLOB REFERENCES account (id) ON DELETE CASCADE,
    email_key     BLOB NOT NULL CHECK (length(email_key) = 32),
    email         BLOB NOT NULL,
    digest        BLOB CHECK (digest IS NULL OR length(digest) = 32),
    tries_left    INTEGER NOT NULL,
    sent_at_s     INTEGER NOT NULL,
    expires_at_s  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX account_code_end ON account_code (expires_at_s);

-- Mails of accounts that wait to be sent, sealed under the same key.
CREATE TABLE account_mail (
    id            INTEGER PRIMARY KEY,
    sealed        BLOB NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    due_at_s      INTEGER NOT NULL,
    expires_at_s  INTEGER NOT NULL
) STRICT;
CREATE INDEX account_mail_due ON account_mail (due_at_s);
