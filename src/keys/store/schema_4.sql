-- Events from outside that were answered: one that comes again gets the same answer and does nothing.
CREATE TABLE answer (
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    alias TEXT NOT NULL,
    at INTEGER NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('applied', 'ignored', 'refused')),
    reason TEXT,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX answer_by_age ON answer (at);

-- Events on their way out, each until its sink has acknowledged it. A number is given once: what was sent is told from
-- what is new.
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    sink TEXT NOT NULL,
    alias TEXT NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL
) STRICT;
