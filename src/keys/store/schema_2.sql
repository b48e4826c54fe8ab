-- Keys that were generated here and have no certificate yet.
CREATE TABLE waiting (
    alias TEXT NOT NULL,
    public_key TEXT NOT NULL CHECK (length(public_key) = 64),
    subject TEXT NOT NULL,
    request BLOB NOT NULL,
    made INTEGER NOT NULL,
    private_half BLOB NOT NULL,
    PRIMARY KEY (alias, public_key)
) STRICT, WITHOUT ROWID;
