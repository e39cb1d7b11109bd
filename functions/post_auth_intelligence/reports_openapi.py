"""What the routes of reports give. Not read while serving: the document is made of it beforehand."""

from __future__ import annotations

from typing import Any

from assay.http import openapi
from assay.intelligence.drift_report import DriftReport
from assay.intelligence.patterns_report import PatternReport

_STATUSES = openapi.problems(401, 403, 404, 503, s404="No report has been made yet")

_PATHS: dict[str, Any] = {
    "/intelligence/drift": {
        "get": {
            "summary": "What is not any more as it was in training, or in the weeks before",
            "description": "For persons. The newest look at features, scores, decisions and, once labels are due, "
            "recall and precision; all together and by segment.",
            "operationId": "drift",
            "security": openapi.SECURED,
            "responses": {"200": openapi.json("The report", openapi.ref(DriftReport)), **_STATUSES},
        }
    },
    "/intelligence/patterns": {
        "get": {
            "summary": "Linked accounts, rules that fire together, segments where fraud concentrates",
            "description": "For persons. Emerging ones first.",
            "operationId": "patterns",
            "security": openapi.SECURED,
            "responses": {"200": openapi.json("The report", openapi.ref(PatternReport)), **_STATUSES},
        }
    },
}

DESCRIPTION = openapi.Description(_PATHS, outputs=(DriftReport, PatternReport))
