-- Times are milliseconds since 1970, UTC.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A key, whatever its state. A state has what it needs and nothing else: a purged or discarded key has no private
-- half.
CREATE TABLE key (
    id INTEGER PRIMARY KEY,
    alias TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    certificate BLOB NOT NULL,
    key_type TEXT NOT NULL,
    imported INTEGER NOT NULL,
    private_half BLOB,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retired', 'revoked', 'purged', 'discarded')),
    since INTEGER CHECK ((since IS NULL) = (state = 'pending')),
    kept_until INTEGER CHECK (kept_until IS NOT NULL OR state NOT IN ('retired', 'revoked')),
    displaced INTEGER CHECK ((displaced IS NOT NULL) = (state = 'revoked')),
    displacement INTEGER CHECK ((displacement IS NOT NULL) = (state = 'retired')),
    reason TEXT CHECK ((reason IS NOT NULL) = (state = 'revoked')),
    activate_at INTEGER CHECK (activate_at IS NULL OR state = 'pending'),
    activate_replaces TEXT CHECK (activate_replaces IS NULL OR activate_at IS NOT NULL),
    CHECK ((private_half IS NULL) = (state IN ('purged', 'discarded'))),
    UNIQUE (alias, fingerprint),
    UNIQUE (alias, sequence)
) STRICT;

CREATE UNIQUE INDEX one_active_key ON key (alias) WHERE state = 'active';

-- Certificates that lead from a key's own to a root.
CREATE TABLE chain (
    key INTEGER NOT NULL REFERENCES key (id),
    position INTEGER NOT NULL,
    certificate BLOB NOT NULL,
    PRIMARY KEY (key, position)
) STRICT, WITHOUT ROWID;

-- Times in seconds here: it is not worth more.
CREATE TABLE uses (
    key INTEGER PRIMARY KEY REFERENCES key (id),
    signed INTEGER NOT NULL,
    last_signed INTEGER,
    looked_up INTEGER NOT NULL,
    last_looked_up INTEGER
) STRICT;

CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    record TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is only ever added to');
END;

CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is only ever added to');
END;
