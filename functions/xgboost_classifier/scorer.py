"""The calibrated probability that a transaction is fraud, and which features made it so."""

from __future__ import annotations

import numpy as np

from assay.models.boosted_trees import BoostedTrees, probability
from assay.models.encoding import Floats, Vectoriser
from assay.models.treeshap import TreeShap
from assay.release.manifest import Calibration
from assay.schemas.stages import Contribution, FraudScore, ScoringInput


class XgboostScorer:
    """Scores one transaction at a time. Holds nothing of a request; safe across threads."""

    def __init__(
        self, encoding: Vectoriser, model: BoostedTrees, calibration: Calibration, explain_above: float
    ) -> None:
        """`explain_above`: a fraud score from here on is explained unasked. Raises ReleaseError."""
        self._encoding = encoding
        self._model = model
        self._explainer = TreeShap(model)
        self._slope, self._intercept = calibration.slope, calibration.intercept
        self._explain_above = explain_above

    def score(self, request: ScoringInput) -> FraudScore:
        """Contributions are in calibrated log-odds, largest first. Raises ValueError when a number holds text."""
        row = self._encoding.row(request.features)
        score = probability(self._model.predict_margin(row), self._slope, self._intercept)
        if score < self._explain_above and not request.explain:
            return FraudScore(fraud_score=score)
        return FraudScore(fraud_score=score, contributions=self._contributions(request, row))

    def _contributions(self, request: ScoringInput, row: Floats) -> list[Contribution]:
        amounts = self._explainer.contributions(row) * self._slope
        names, values = self._encoding.features, request.features
        return [
            Contribution(feature=names[index], value=values.get(names[index]), contribution=float(amounts[index]))
            for index in np.argsort(-np.abs(amounts), kind="stable")
            if amounts[index] != 0.0
        ]
