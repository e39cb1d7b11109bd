"""Tables of events for clients in the embedded installation's file."""

CLIENT_EVENTS = """
-- The number of the last entry of each client's feed. It outlives the entries, so that numbers never come again.
CREATE TABLE client_feeds (
    client_id TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE client_events (
    client_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (client_id, sequence),
    UNIQUE (client_id, event_id)
) WITHOUT ROWID;
CREATE INDEX client_events_by_time ON client_events (at);
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    last_success_at INTEGER,
    last_failure_at INTEGER,
    failing_since INTEGER,
    error TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX webhooks_by_client ON webhooks (client_id, id);
CREATE TABLE webhook_deliveries (
    webhook_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    is_claimed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (webhook_id, event_id)
) WITHOUT ROWID;
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (webhook_id, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at);
"""
