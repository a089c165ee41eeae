-- What a device proved of its verification code when it came or went last, as a keyed hash.
ALTER TABLE presence ADD COLUMN adding BLOB CHECK (adding IS NULL OR length(adding) = 32);

-- What a code is for beside its purpose, sealed.
ALTER TABLE account_code ADD COLUMN about BLOB;

-- Whose a device is, by its name and its random id for that account, and the proof by which it was added.
CREATE TABLE account_device (
    handle      BLOB PRIMARY KEY REFERENCES device (handle),
    id          BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    account     BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    adding      BLOB NOT NULL CHECK (length(adding) = 32),
    added_at_s  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX account_device_account ON account_device (account);

-- A device that its owner has offered to an address: by its keyed hash, and sealed.
CREATE TABLE device_offer (
    handle        BLOB PRIMARY KEY REFERENCES account_device (handle) ON DELETE CASCADE,
    id            BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    email_key     BLOB NOT NULL CHECK (length(email_key) = 32),
    email         BLOB NOT NULL,
    expires_at_s  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX device_offer_email ON device_offer (email_key);
CREATE INDEX device_offer_end ON device_offer (expires_at_s);
