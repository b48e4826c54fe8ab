-- Exchanges of keys. At most one of an alias goes on, and only while it does messages are held.
CREATE TABLE renewal (
    id TEXT PRIMARY KEY,
    alias TEXT NOT NULL,
    position INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    displaced TEXT,
    strategy TEXT NOT NULL CHECK (strategy IN ('pre-publish', 'hold', 'receiver-led')),
    goes_on INTEGER NOT NULL CHECK (goes_on IN (0, 1)),
    gate TEXT NOT NULL CHECK (gate IN ('open', 'draining', 'holding')),
    gate_since INTEGER CHECK ((gate_since IS NULL) = (gate = 'open')),
    CHECK (gate = 'open' OR goes_on = 1),
    UNIQUE (alias, position),
    FOREIGN KEY (alias, fingerprint) REFERENCES key (alias, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX one_renewal_goes_on ON renewal (alias) WHERE goes_on = 1;

CREATE TABLE renewal_step (
    renewal TEXT NOT NULL REFERENCES renewal (id),
    position INTEGER NOT NULL,
    step TEXT NOT NULL CHECK (step IN ('created', 'published', 'confirmed', 'activated', 'completed', 'aborted')),
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (renewal, position),
    UNIQUE (renewal, step)
) STRICT, WITHOUT ROWID;

-- Whom a renewal concerns. Of a link there is only the hash.
CREATE TABLE renewal_receiver (
    renewal TEXT NOT NULL REFERENCES renewal (id),
    position INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    confirmed INTEGER,
    confirmed_by TEXT CHECK ((confirmed_by IS NULL) = (confirmed IS NULL)),
    link BLOB CHECK (link IS NULL OR length(link) = 32),
    link_expires INTEGER CHECK ((link_expires IS NULL) = (link IS NULL)),
    link_spent INTEGER CHECK (link_spent IS NULL OR link IS NOT NULL),
    PRIMARY KEY (renewal, position),
    UNIQUE (renewal, receiver)
) STRICT, WITHOUT ROWID;

-- What was told of a key, so that it is told once.
CREATE TABLE notice (
    alias TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    notice TEXT NOT NULL,
    PRIMARY KEY (alias, fingerprint, notice),
    FOREIGN KEY (alias, fingerprint) REFERENCES key (alias, fingerprint)
) STRICT, WITHOUT ROWID;
