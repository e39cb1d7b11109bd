"""What can go wrong while AWS is imitated on this machine."""

from __future__ import annotations

from assay.errors import AssayError


class TemplateError(AssayError):
    """The template says something that cannot be followed here. The message says where."""


class LocalAwsError(AssayError):
    """A part did not start, or stopped. The message gives the reason and the end of its log."""


class InvokeError(AssayError):
    """A function did not answer, or answered with an error."""
