-- A process of the service. When its lease ends, the devices that were connected to it are offline.
CREATE TABLE node (
    id             BLOB PRIMARY KEY CHECK (length(id) = 8),
    lease_until_s  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last change of each device: online at a node since then, or offline since then.
CREATE TABLE presence (
    handle        BLOB PRIMARY KEY CHECK (length(handle) = 8),
    node          BLOB,
    changed_at_s  INTEGER NOT NULL,
    version       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_node ON presence (node) WHERE node IS NOT NULL;

-- How many devices were online, at the end of each stretch of time.
CREATE TABLE online (
    at_s     INTEGER NOT NULL,
    node     BLOB NOT NULL,
    devices  INTEGER NOT NULL,
    PRIMARY KEY (at_s, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX device_revoked ON device (revoked_at_s) WHERE revoked_at_s IS NOT NULL;

-- Claims, by the hash of their secret: whoever has one may enrol a device.
CREATE TABLE claim (
    digest        BLOB PRIMARY KEY CHECK (length(digest) = 32),
    expires_at_s  INTEGER NOT NULL,
    uses_left     INTEGER NOT NULL,
    serial        TEXT
) STRICT, WITHOUT ROWID;

-- Whom a claim has enrolled: the same key may ask again, should the answer have been lost.
CREATE TABLE enrolled (
    digest      BLOB NOT NULL REFERENCES claim (digest) ON DELETE CASCADE,
    public_key  BLOB NOT NULL CHECK (length(public_key) = 32),
    PRIMARY KEY (digest, public_key)
) STRICT, WITHOUT ROWID;
