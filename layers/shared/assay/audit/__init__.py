"""The audit log: a hash chain of everything that was decided, in objects that are written once. docs/audit.md."""

from assay.audit.chain import START, Batch, Entry, Head, seal

__all__ = ["START", "Batch", "Entry", "Head", "seal"]
