"""A fresh champion is watched: when it is clearly worse than the one before it, that one decides again."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from assay.errors import ReleaseError
from assay.policy import Policy
from assay.release.pointer import PROMOTED, Move
from assay.release.registry import Registry, clear_challenger, open_named, pointer, roll_back
from assay.release.telling import moved
from assay.schemas.event import SYSTEM
from functions.trainer.installation import Installation
from functions.trainer.rows import served
from training.costs import Costs
from training.retraining.shadow import regression

MAX_WHY = 200


def roll_back_if_worse(installation: Installation, costs: Costs, now: datetime) -> list[str]:
    """Why the champion was rolled back; empty: it was not. Raises `ChampionMoved`, `ReleaseError`, `StorageError`.

    The champion's own policy says how long and by what it is watched. What it decided since its promotion is compared
    with what the release before says of the same transactions.
    """
    registry, trusted = installation.registry, installation.trusted()
    move = _fresh(registry)
    if move is None or move.before is None:
        return []
    champion = open_named(registry, pointer(registry), trusted)
    limits = Policy.of(champion).retraining.watch
    if limits is None or now > move.moment + timedelta(hours=limits.hours):
        return []
    found = served(installation, champion, move.moment)
    if found is None:
        return []
    try:
        before = open_named(registry, move.before, trusted)
    except ReleaseError:
        return []  # withdrawn from the registry: there is nothing to go back to
    reasons = regression(found.decided, found.by(before), found.truth, costs, limits)
    if reasons:
        why = f"worse than {before.version}: {'; '.join(reasons)}"[:MAX_WHY]
        back = partial(roll_back, registry, trusted, SYSTEM, why, champion.version, check=installation.servable)
        moved(registry, back, installation.tell)
        _withdraw(installation, why)
    return reasons


def _fresh(registry: Registry) -> Move | None:
    """The champion's promotion, when that is how it became the champion."""
    moves = pointer(registry).moves
    return moves[0] if moves and moves[0].event == PROMOTED else None


def _withdraw(installation: Installation, why: str) -> None:
    """What was rolled back is no challenger either."""
    move = clear_challenger(installation.registry, SYSTEM, why)
    if move is not None:
        installation.tell([move])
