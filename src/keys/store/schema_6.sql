-- A key that was left for the one before it: a renewal may lead to it once more.
ALTER TABLE key ADD COLUMN rolled_back INTEGER NOT NULL DEFAULT 0
    CHECK (rolled_back = 0 OR (rolled_back = 1 AND state = 'retired'));

-- The time that is set for a key is for the alias's first one alone.
ALTER TABLE key ADD COLUMN activate_first INTEGER NOT NULL DEFAULT 0
    CHECK (activate_first = 0 OR (activate_first = 1 AND activate_at IS NOT NULL));

-- The hold has lasted for too long: messages are refused.
ALTER TABLE renewal ADD COLUMN refuses INTEGER NOT NULL DEFAULT 0
    CHECK (refuses = 0 OR (refuses = 1 AND gate = 'holding'));
