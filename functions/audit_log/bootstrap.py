"""Builds the function's collaborators."""

from __future__ import annotations

from assay.ports import Archive, AuditAnchorStore
from functions.audit_log.recorder import AuditLog


def build(archive: Archive, anchor: AuditAnchorStore) -> AuditLog:
    """The consumer over the given log and its anchor."""
    return AuditLog(archive, anchor)
