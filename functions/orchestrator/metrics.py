"""Counts of verdicts, as CloudWatch reads them out of the log (embedded metric format)."""

from __future__ import annotations

import logging

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from assay.schemas.verdict import FraudVerdict

log = logging.getLogger(__name__)
_metrics = Metrics(namespace="Assay", service="orchestrator")


def count(verdict: FraudVerdict) -> None:
    """Counts a new verdict, and whether a part was missing. Never raises: the verdict is given already."""
    try:
        _metrics.add_dimensions(decision=verdict.decision)
        _metrics.add_metric(name="Verdicts", unit=MetricUnit.Count, value=1)
        _metrics.add_metric(name="Degraded", unit=MetricUnit.Count, value=int(bool(verdict.degraded)))
        _metrics.flush_metrics()
    except Exception:
        log.exception("a verdict could not be counted")
