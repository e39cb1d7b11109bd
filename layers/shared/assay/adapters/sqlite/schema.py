"""The embedded installation's one file: its tables, its version, how it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from assay.adapters.sqlite.accounts_tables import ACCOUNTS
from assay.adapters.sqlite.challenges_tables import CHALLENGES
from assay.adapters.sqlite.client_events_tables import CLIENT_EVENTS
from assay.adapters.sqlite.intelligence_tables import INTELLIGENCE
from assay.adapters.sqlite.labels_tables import LABELS, SENDERS
from assay.adapters.sqlite.releases_tables import RELEASES
from assay.audit.chain import START
from assay.errors import StorageError

APPLICATION_ID = 0x41535359  # "ASSY"
SCHEMA_VERSION = 4
BUSY_TIMEOUT_MS = 2_000

TABLES = """
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    verdict BLOB NOT NULL,
    decided_at INTEGER NOT NULL,
    UNIQUE (client_id, transaction_id)
);
-- What the profile counted: the windows are rebuilt from here. Same id as the decision.
CREATE TABLE activity (
    id INTEGER PRIMARY KEY REFERENCES decisions (id),
    time INTEGER NOT NULL,
    account TEXT NOT NULL,
    amount INTEGER,
    country TEXT,
    device TEXT,
    address TEXT,
    counterparty TEXT,
    fraud INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX activity_by_account ON activity (account, time);
CREATE INDEX activity_by_device ON activity (device, time, account) WHERE device IS NOT NULL;
CREATE INDEX activity_by_address ON activity (address, time, account) WHERE address IS NOT NULL;
CREATE INDEX activity_by_counterparty ON activity (counterparty, time, fraud) WHERE counterparty IS NOT NULL;
CREATE TABLE device_uses (
    account TEXT NOT NULL,
    device TEXT NOT NULL,
    first_use INTEGER NOT NULL,
    PRIMARY KEY (account, device)
) WITHOUT ROWID;
CREATE TABLE logins (
    client_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    account TEXT NOT NULL,
    time INTEGER NOT NULL,
    success INTEGER NOT NULL,
    UNIQUE (client_id, event_id)
);
CREATE INDEX logins_by_account ON logins (account, time, success);
CREATE TABLE stand_in (
    account TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    amount REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL
);
CREATE TABLE consumers (
    name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE dead_letters (
    consumer TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    body BLOB NOT NULL,
    reason TEXT NOT NULL,
    buried_at INTEGER NOT NULL,
    PRIMARY KEY (consumer, sequence)
);
CREATE TABLE scored_events (
    client_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    decision TEXT NOT NULL,
    release_version TEXT NOT NULL,
    release_hash TEXT NOT NULL,
    is_early_exit INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (client_id, transaction_id)
);
"""

AUDIT = f"""
-- Where the audit log ends, and where it ends once the object being written is there.
CREATE TABLE audit_anchor (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    intended_sequence INTEGER,
    intended_hash TEXT
);
CREATE TABLE audit_records (
    kind TEXT NOT NULL,
    client_id TEXT NOT NULL,
    id TEXT NOT NULL,
    sequence INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (kind, client_id, id)
) WITHOUT ROWID;
INSERT INTO audit_anchor VALUES (1, {START.sequence}, '{START.hash}', NULL, NULL);
"""  # noqa: S608 - our own constant

EVENT_KINDS = """
ALTER TABLE outbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'transaction.scored';
"""

IDENTITY = """
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    refresh_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE TABLE service_clients (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    scopes TEXT NOT NULL,
    status TEXT NOT NULL,
    session TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
-- Sessions, of users and of service clients, whose access tokens are void: as long as the longest could live.
CREATE TABLE revocations (
    session TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) WITHOUT ROWID;
-- Counters of one window each, and keys that are remembered.
CREATE TABLE attempts (
    key TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX attempts_by_end ON attempts (until);
"""

AUDIT_OBJECTS = """
-- What is announced is kept whole, so that whoever comes next can write it.
ALTER TABLE audit_anchor ADD COLUMN intended_key TEXT;
ALTER TABLE audit_anchor ADD COLUMN intended_body BLOB;
-- Where each object of the log is, by the number of its last record.
CREATE TABLE audit_objects (
    last INTEGER PRIMARY KEY,
    key TEXT NOT NULL
);
"""

ALERTS = """
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    route TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    client_id TEXT NOT NULL,
    transaction_id TEXT,
    decision TEXT,
    details TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_by_time ON alerts (created_at, id);
CREATE INDEX alerts_by_client ON alerts (client_id, created_at, id) WHERE transaction_id IS NOT NULL;
-- Mails and calls of webhooks. recipients and refused are JSON lists.
CREATE TABLE alert_messages (
    id TEXT PRIMARY KEY,
    route TEXT NOT NULL,
    channel TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    is_digest INTEGER NOT NULL,
    recipients TEXT NOT NULL,
    refused TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX alert_messages_by_due ON alert_messages (channel, due_at) WHERE state = 'pending';
-- Which message carries which alert.
CREATE TABLE alert_carriers (
    alert_id TEXT NOT NULL REFERENCES alerts (id),
    message_id TEXT NOT NULL REFERENCES alert_messages (id),
    PRIMARY KEY (alert_id, message_id)
) WITHOUT ROWID;
CREATE INDEX alert_carriers_by_message ON alert_carriers (message_id);
-- How many mails each route may still send, see assay/alerts/windows.py.
CREATE TABLE alert_windows (
    route TEXT PRIMARY KEY,
    starts INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    mails INTEGER NOT NULL,
    digested INTEGER NOT NULL
) WITHOUT ROWID;
"""

MIGRATIONS = {
    1: AUDIT,
    2: EVENT_KINDS
    + IDENTITY
    + AUDIT_OBJECTS
    + ALERTS
    + CHALLENGES
    + ACCOUNTS
    + CLIENT_EVENTS
    + LABELS
    + INTELLIGENCE
    + RELEASES,
    3: SENDERS,
}
"""What brings a file from a version to the next one."""


def open_database(path: Path) -> sqlite3.Connection:
    """A connection for writing; creates the file when there is none.

    Raises `StorageError` for a file that is not ours, of another version, or locked.
    """
    try:
        path.touch(mode=0o600)  # it holds hashes of passwords
        connection = _connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _ensure_schema(connection, path)
    except (sqlite3.DatabaseError, OSError) as error:
        raise StorageError(f"{path.name}: {error}") from error
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A second connection that only reads, and sees what is committed."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: transactions are begun and committed by name. Only one thread at a time uses a connection.
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000, cached_statements=256
    )
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _ensure_schema(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if empty:
            _run(connection, TABLES + "".join(MIGRATIONS.values()))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        elif application != APPLICATION_ID:
            raise StorageError(f"{path.name}: not a database of Assay")
        elif version != SCHEMA_VERSION and version not in MIGRATIONS:
            raise StorageError(
                f"{path.name}: schema version {version}, this Assay needs {SCHEMA_VERSION}; use the matching Assay"
            )
        else:
            for step in range(version, SCHEMA_VERSION):
                _run(connection, MIGRATIONS[step])
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _run(connection: sqlite3.Connection, statements: str) -> None:
    """One by one: `executescript` would commit first."""
    for statement in statements.split(";"):
        connection.execute(statement)
