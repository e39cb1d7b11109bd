"""What came of a retraining, and how it is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from assay.errors import StorageError
from assay.intelligence.reports import RETRAINING, StoredReport
from assay.moments import microseconds
from assay.schemas.base import Contract
from assay.schemas.event import SYSTEM, Event, Fact
from functions.trainer.installation import Installation
from training.retraining.gate import GateResult
from training.retraining.shadow import Comparison

GATED = "release.gated"
"""The event when a challenger has been through the gate."""
SHOWN_REASONS = 10
"""In the event; the report has all."""


class Retraining(Contract):
    """One run."""

    at: datetime
    outcome: Literal["not_needed", "not_possible", "challenger", "promoted", "rolled_back"]
    reasons: list[str] = Field(description="Of the outcome.")
    champion: str = Field(description="The release that decided when it began.")
    triggers: list[str] = Field(default=[], description="Why it was trained.")
    version: str | None = Field(default=None, description="The release that was made.")
    golden_sha256: str | None = None
    gate: GateResult | None = None
    shadow: Comparison | None = Field(default=None, description="The challenger on what the champion decided lately.")


def read(stored: StoredReport | None) -> Retraining | None:
    """The retraining that a report is of."""
    return None if stored is None else Retraining.model_validate_json(stored.body)


def keep(installation: Installation, before: StoredReport | None, report: Retraining) -> None:
    """Beside the registry as JSON, and in the store, in the place of `before`, together with its event.

    Raises `StorageError`, also when another run has kept its report meanwhile.
    """
    if report.version is not None:
        installation.write_report(gate_file(report.version), (report.model_dump_json(indent=1) + "\n").encode())
    kept = StoredReport(microseconds(report.at), report.model_dump_json().encode())
    if not installation.keep(RETRAINING, before, kept, _events(report)):
        raise StorageError(f"{RETRAINING}: another report was kept meanwhile")


def gate_file(version: str) -> str:
    """Name of the report for people."""
    return f"{version}.gate.json"


def _events(report: Retraining) -> list[Event]:
    if report.gate is None or report.version is None:
        return []
    facts: dict[str, Fact] = {
        "version": report.version,
        "champion": report.champion,
        "passed": report.gate.passed,
        "reasons": report.gate.reasons[:SHOWN_REASONS],
        "triggers": report.triggers,
        "golden_sha256": report.golden_sha256,
    }
    for each in report.gate.sets:
        for side, figures in (("champion", each.champion), ("challenger", each.challenger)):
            facts[f"{each.name}.{side}.cost_per_1000"] = figures.cost_per_1000
            facts[f"{each.name}.{side}.recall"] = figures.recall
    return [Event.now(GATED, SYSTEM, **facts)]
