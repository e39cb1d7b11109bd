"""How badly a network that knows honest transactions reconstructs one."""

from __future__ import annotations

import numpy as np

from assay.models.autoencoder import Autoencoder
from assay.models.encoding import Floats, Vectoriser
from assay.schemas.stages import AutoencoderScore, Contribution, ScoringInput


class AutoencoderScorer:
    """Scores one transaction at a time. Holds nothing of a request; safe across threads."""

    def __init__(self, encoding: Vectoriser, model: Autoencoder, threshold: float) -> None:
        self._encoding = encoding
        self._model = model
        self._threshold = threshold

    def score(self, request: ScoringInput) -> AutoencoderScore:
        """Anomalous above the threshold. Raises ValueError when a number feature holds text."""
        difference = self._model.differences(self._encoding.row(request.features))
        total = float(difference.dot(difference))
        error = total / self._model.features
        anomaly = error > self._threshold
        contributions: list[Contribution] = []
        if (anomaly or request.explain) and total > 0.0:
            contributions = self._shares(request, np.square(difference) / total)
        return AutoencoderScore(
            ae_error=error, ae_threshold=self._threshold, ae_anomaly=anomaly, contributions=contributions
        )

    def _shares(self, request: ScoringInput, shares: Floats) -> list[Contribution]:
        names, values = self._encoding.features, request.features
        return [
            Contribution(feature=names[index], value=values.get(names[index]), contribution=float(shares[index]))
            for index in np.argsort(-shares, kind="stable")
        ]
