"""Tables of step-up challenges in the embedded installation's file."""

CHALLENGES = """
CREATE TABLE challenges (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    binding TEXT NOT NULL,
    method TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    delivery TEXT NOT NULL,
    salt BLOB NOT NULL,
    digest BLOB,
    claimed_until INTEGER NOT NULL,
    sent_at INTEGER,
    tries INTEGER NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX challenges_by_end ON challenges (expires_at) WHERE status = 'pending';
CREATE TABLE code_sends (
    client_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    times TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (client_id, account_id)
) WITHOUT ROWID;
-- Addresses and secrets of customers, each encrypted with the installation key.
CREATE TABLE contacts (
    client_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (client_id, account_id)
) WITHOUT ROWID;
CREATE TABLE totp_enrolments (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    last_step INTEGER NOT NULL,
    misses TEXT NOT NULL,
    version INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    UNIQUE (client_id, account_id)
) WITHOUT ROWID;
"""
