"""Tables of labels, of how many each sender gave on a day, of what follows from them, and of how step-ups ended."""

from __future__ import annotations

LABELS = """
-- record is the whole labelling as JSON, the columns are what it is looked for by and read in bulk.
CREATE TABLE labels (
    client_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    -- In effect, null while all opinions wait.
    label TEXT,
    labelled_at INTEGER,
    counts_since INTEGER,
    -- Of the oldest opinion that waits for a second person.
    waiting_since INTEGER,
    record TEXT NOT NULL,
    UNIQUE (client_id, transaction_id)
);
CREATE INDEX labels_by_decision ON labels (decided_at, client_id, transaction_id) WHERE label IS NOT NULL;
CREATE INDEX labels_waiting ON labels (waiting_since, client_id, transaction_id) WHERE waiting_since IS NOT NULL;
CREATE TABLE label_counts (
    sender TEXT NOT NULL,
    day INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (sender, day)
) WITHOUT ROWID;
CREATE TABLE label_effects (
    client_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    token_kind TEXT NOT NULL,
    token TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (client_id, transaction_id, kind, token_kind)
) WITHOUT ROWID;
CREATE INDEX label_effects_by_token ON label_effects (kind, token_kind, token, until);
CREATE TABLE step_ups (
    client_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (client_id, transaction_id)
) WITHOUT ROWID;
"""

SENDERS = """
-- Whose label is in effect. Of those from before, null: unknown.
ALTER TABLE labels ADD COLUMN labelled_by TEXT;
"""
