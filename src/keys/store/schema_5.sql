-- Ids of events count per caller: nobody uses up another's. What was answered before this version has no caller, and no
-- digest of what the event asked for.
ALTER TABLE answer RENAME TO answer_before;

CREATE TABLE answer (
    caller TEXT NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    alias TEXT NOT NULL,
    at INTEGER NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('applied', 'ignored', 'refused')),
    reason TEXT,
    digest BLOB CHECK (digest IS NULL OR length(digest) = 32),
    PRIMARY KEY (caller, source, id)
) STRICT, WITHOUT ROWID;

INSERT INTO answer (caller, source, id, type, alias, at, result, reason)
SELECT '', source, id, type, alias, at, result, reason FROM answer_before;

DROP TABLE answer_before;

CREATE INDEX answer_by_age ON answer (at);
CREATE INDEX answer_by_caller ON answer (caller, at);

-- Aliases whose keys came from a backup that may be older than what they had signed with: they do not sign until an
-- operator has looked.
CREATE TABLE unreviewed (
    alias TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys that were known to be revoked or purged when a backup was restored that does not have them: none is taken in.
CREATE TABLE barred (
    alias TEXT NOT NULL,
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    reason TEXT NOT NULL,
    PRIMARY KEY (alias, fingerprint)
) STRICT, WITHOUT ROWID;
