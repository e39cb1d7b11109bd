"""Every error Assay raises on purpose, named once. `functions/*` turn them into answers in one place."""

from __future__ import annotations


class AssayError(Exception):
    """Base of all errors Assay raises on purpose."""


class SettingsError(AssayError):
    """An environment variable is missing or wrong. The message names it."""


class RequestError(AssayError):
    """What a function was invoked with is not a valid request. The message names fields, never their values."""


class ReleaseError(AssayError):
    """A release that must not be served: corrupt, unsigned, mismatching or incomplete."""


class ChampionMoved(ReleaseError):  # noqa: N818 - named for what happened
    """A pointer of the registry was moved by somebody else first. Nothing was changed."""


class RuleError(AssayError):
    """A rules file that must not be served. The message names the rule and what is wrong with it."""


class PolicyError(AssayError):
    """A policy file that must not be served."""


class StorageError(AssayError):
    """The store could not read or commit. Nothing of the failed unit was kept."""


class AnchorMoved(StorageError):  # noqa: N818 - named for what happened
    """Another writer of the audit log came first. Nothing of this step was kept; look again."""


class AuditHeadError(AssayError):
    """What was given as the head of an audit log is none."""


class AlreadyDecided(AssayError):  # noqa: N818 - an outcome another process brought about, not a fault
    """The transaction was given a verdict meanwhile, by another process. Nothing of this unit was kept."""


class PoisonEvent(AssayError):  # noqa: N818 - the queueing world's own word
    """An event that no retry will make readable."""


class StageError(AssayError):
    """A stage did not give a usable answer."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason


class StageFailed(StageError):  # noqa: N818 - named for what happened, as in the protocol: answered, but wrongly
    """The stage answered with an error, or with something that is not a valid answer (502 in strict mode)."""


class StageUnavailable(StageError):  # noqa: N818
    """The stage could not be reached, or not in time (503 in strict mode)."""
