"""What is other in a release than in another one: rules, policy, thresholds, features, metrics, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import PolicyError, RuleError
from assay.policy import FILE as POLICY
from assay.policy import Policy
from assay.release.manifest import AUTOENCODER, ISOLATION_FOREST, XGBOOST_CLASSIFIER
from assay.release.store import Release
from assay.rules.document import RulesDocument
from assay.rules.ruleset import FILE as RULES
from assay.validation import validated
from assay.yaml_file import load_mapping

MODEL_FILES = (ISOLATION_FOREST, AUTOENCODER, XGBOOST_CLASSIFIER)
ABSENT = None
Changes = dict[str, list[Any]]
"""Key -> [before, after]; `ABSENT` where there is none."""


def difference(before: Release, after: Release) -> dict[str, Any]:
    """Part -> what is other, empty where nothing is. Plain JSON types. Raises RuleError, PolicyError, ReleaseError."""
    old, new = before.manifest, after.manifest
    return {
        "before": {"version": before.version, "hash": before.hash},
        "after": {"version": after.version, "hash": after.hash},
        "rules": _rules(before, after),
        "policy": _changes(_flat(_policy(before)), _flat(_policy(after))),
        "thresholds": _changes(_thresholds(before), _thresholds(after)),
        "features": _moved_features(before, after),
        "metrics": _changes(old.metrics, new.metrics),
        "libraries": _changes(old.libraries, new.libraries),
        "bytes": {name: [len(before.read(name)), len(after.read(name))] for name in MODEL_FILES},
        "files": sorted(name for name in old.files if old.files[name] != new.files[name]),
    }


def _rules(before: Release, after: Release) -> dict[str, Any]:
    """Rules by their id; an order that is other changes the reasons' order only, and is told."""
    old, new = _rules_document(before), _rules_document(after)
    was, now = ({rule.id: rule.model_dump(mode="json") for rule in document.rules} for document in (old, new))
    both = [id_ for id_ in now if id_ in was]
    return {
        "added": [id_ for id_ in now if id_ not in was],
        "removed": [id_ for id_ in was if id_ not in now],
        "changed": {id_: moved for id_ in both if (moved := _changes(was[id_], now[id_]))},
        "reordered": both != [id_ for id_ in was if id_ in now],
        "escalation": [] if old.escalation == new.escalation else [old.escalation, new.escalation],
    }


def _rules_document(release: Release) -> RulesDocument:
    return validated(RulesDocument, load_mapping(release.read(RULES), RuleError, RULES), RuleError, RULES)


def _policy(release: Release) -> dict[str, Any]:
    """With the defaults that the file leaves out."""
    mapping = load_mapping(release.read(POLICY), PolicyError, POLICY)
    return validated(Policy, mapping, PolicyError, POLICY).model_dump(mode="json")


def _thresholds(release: Release) -> dict[str, float]:
    models, calibration = release.manifest.models, release.manifest.calibration
    return {
        "isolation_forest": models.isolation_forest.threshold,
        "autoencoder": models.autoencoder.threshold,
        "calibration.slope": calibration.slope,
        "calibration.intercept": calibration.intercept,
    }


def _moved_features(before: Release, after: Release) -> dict[str, Any]:
    models = type(before.manifest.models).model_fields
    return {model: moved for model in models if any((moved := _features(before, after, model)).values())}


def _features(before: Release, after: Release, model: str) -> dict[str, Any]:
    old: list[str] = getattr(before.manifest.models, model).features
    new: list[str] = getattr(after.manifest.models, model).features
    return {"added": [name for name in new if name not in old], "removed": [name for name in old if name not in new]}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    names = sorted(before.keys() | after.keys())
    pairs = {name: [before.get(name, ABSENT), after.get(name, ABSENT)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Keys of nested mappings joined by dots; a list is one value."""
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
