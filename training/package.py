"""The files of a release beside the models: policy with its trained thresholds, evidence, reference distributions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import PolicyError
from assay.features.catalog import NAMES
from assay.policy import Policy
from training import reference
from training.table import CATEGORIES, FeatureTable
from training.thresholds import TrainedThresholds, confidence_bands

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def trained_policy(text: str, thresholds: TrainedThresholds) -> str:
    """The policy with what training measured put in its places, its comments kept. `text` may be a trained one, and one
    from before a FLAG had a threshold.

    Raises PolicyError when a place is not there exactly once, on a line: a policy without its thresholds must not be
    released; and when what came out is no policy.
    """
    subsets = thresholds.subsets
    without = f"{subsets.forest_without_xgboost:.6g}, autoencoder: {subsets.autoencoder_without_xgboost:.6g}"
    evidence = f"{thresholds.forest_evidence:.4f}, autoencoder: {thresholds.autoencoder_evidence:.4f}"
    bands = confidence_bands(thresholds.score)
    if not re.search(r"^flag_escalates_above:", text, flags=re.MULTILINE):
        text = re.sub(r"^flag_escalates:.*$", r"\g<0>\nflag_escalates_above: 0.00", text, flags=re.MULTILINE)
    places = {
        "decline_above:": f"{thresholds.score.decline_above:.2f}",
        "challenge_above:": f"{thresholds.score.challenge_above:.2f}",
        "flag_escalates_above:": f"{thresholds.score.flag_escalates_above:.2f}",
        "high:": f"{{above: {bands.high.above:.3f}, below: {bands.high.below:.3f}}}",
        "medium:": f"{{above: {bands.medium.above:.3f}, below: {bands.medium.below:.3f}}}",
        "isolation_forest_alone:": f"{subsets.forest_alone:.6g}",
        "autoencoder_alone:": f"{subsets.autoencoder_alone:.6g}",
        "without_xgboost:": f"{{isolation_forest: {without}}}",
        "model_evidence:": f"{{isolation_forest: {evidence}}}",
    }
    for key, value in places.items():
        text, found = re.subn(rf"^(\s*{key}) (?:null|[-+.\w]+|\{{[^}}]*\}})", rf"\1 {value}", text, flags=re.MULTILINE)
        if found != 1:
            raise PolicyError(f"policy.yaml: {key} found {found} times, expected once")
    Policy.load(text)
    return text


def reference_file(table: FeatureTable, rows: Bools, scores: Mapping[str, Floats]) -> bytes:
    """Distributions of every feature over the chosen rows, and of the scores given (out of sample)."""
    columns = table.columns(rows)
    features: dict[str, Any] = {}
    for name in NAMES:
        if name in CATEGORIES:
            features[name] = reference.category(list(columns[name]))
        else:
            features[name] = reference.numeric(np.asarray(columns[name], dtype=np.float64))
    document = {
        "rows": int(rows.sum()),
        "features": features,
        "scores": {name: reference.numeric(values) for name, values in scores.items()},
    }
    return as_json(document)


def as_json(document: object) -> bytes:
    """Readable, and the same bytes for the same content."""
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def libraries() -> dict[str, str]:
    """Versions of what took part in training."""
    return {name: version(name) for name in ("numpy", "scikit-learn", "xgboost-cpu", "polars")}
