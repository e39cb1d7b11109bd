"""Tables of accounts, of what became of each transaction, and of the orders for card management."""

from __future__ import annotations

ACCOUNTS = """
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    -- The end of the freeze that nobody has released: what the deny list is made of at the next start.
    denied_until INTEGER
) WITHOUT ROWID;
CREATE INDEX accounts_denied ON accounts (denied_until) WHERE denied_until IS NOT NULL;
CREATE TABLE actions (
    client_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    effect TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (client_id, transaction_id)
);
CREATE TABLE card_orders (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    until INTEGER,
    body BLOB NOT NULL,
    due_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    claimed_until INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX card_orders_due ON card_orders (due_at) WHERE state = 'pending';
CREATE INDEX card_orders_over ON card_orders (due_at) WHERE state IN ('done', 'dropped');
CREATE INDEX card_orders_by_account ON card_orders (account_id, sequence);
"""
