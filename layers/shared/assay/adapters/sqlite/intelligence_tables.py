"""Tables of what post-authorisation intelligence finds, and what it reads by."""

from __future__ import annotations

INTELLIGENCE = """
CREATE INDEX scored_events_by_time ON scored_events (decided_at);
-- The newest report of each kind, as JSON.
CREATE TABLE intelligence_reports (
    kind TEXT PRIMARY KEY,
    computed_at INTEGER NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
"""
