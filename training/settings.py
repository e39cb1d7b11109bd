"""What a training run is asked for, and what it refuses to learn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import AssayError

DEFAULTS = Path(__file__).parent / "defaults"


def default(name: str) -> str:
    """The text of a default file: rules.yaml, policy.yaml, rates.yaml or costs.yaml."""
    return (DEFAULTS / name).read_text("utf-8")


class TrainingDataError(AssayError):
    """Data that nothing can be learnt from. The message names what is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One training run. The same settings over the same data give the same release.

    The texts are of the files a release carries (`costs` is only used in training): a retraining gives those of the
    champion. `trials` bounds the tuning: so many candidates are begun.
    """

    version: str
    seed: int = 7
    trials: int = 9
    label_delay_days: float = 14.0
    """History: labels of the newest days are still on their way, so these days are not judged by."""
    judged_days: float | None = None
    """Retraining: the newest days (before the delay) judge the release, and nothing else is kept from learning."""
    rules: str = field(default_factory=lambda: default("rules.yaml"), repr=False)
    policy: str = field(default_factory=lambda: default("policy.yaml"), repr=False)
    rates: str = field(default_factory=lambda: default("rates.yaml"), repr=False)
    costs: str = field(default_factory=lambda: default("costs.yaml"), repr=False)
