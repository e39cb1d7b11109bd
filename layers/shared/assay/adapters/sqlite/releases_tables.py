"""Table of what was announced of the release registry in the embedded installation's file."""

RELEASES = """
CREATE TABLE release_moves (
    id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
"""
