"""How isolated a transaction is among honest ones."""

from __future__ import annotations

from assay.models.encoding import Vectoriser
from assay.models.forest import IsolationForest
from assay.schemas.stages import IsolationForestScore, ScoringInput


class IsolationForestScorer:
    """Scores one transaction at a time. Holds nothing of a request; safe across threads."""

    def __init__(self, encoding: Vectoriser, model: IsolationForest, threshold: float) -> None:
        self._encoding = encoding
        self._model = model
        self._threshold = threshold

    def score(self, request: ScoringInput) -> IsolationForestScore:
        """Anomalous below the threshold. Raises ValueError when a number feature holds text."""
        score = self._model.score(self._encoding.row(request.features))
        return IsolationForestScore(if_score=score, if_anomaly=score < self._threshold)
