"""A fresh champion is watched: when it is clearly worse than the one before it, that one decides again."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from assay.errors import ReleaseError
from assay.policy import FILE, Policy
from assay.release.pointer import PROMOTED, Move
from assay.release.registry import clear_challenger, open_named, pointer
from assay.schemas.event import SYSTEM
from local.embedded import Places
from local.registry import RegistryCommands
from local.releases import tell, trusted_keys
from local.retraining.rows import served
from training.costs import Costs
from training.retraining.shadow import regression

MAX_WHY = 200


def roll_back_if_worse(places: Places, costs: Costs, now: datetime) -> list[str]:
    """Why the champion was rolled back; empty: it was not. Raises `ChampionMoved`, `ReleaseError`, `StorageError`.

    The champion's own policy says how long and by what it is watched. What it decided since its promotion is compared
    with what the release before says of the same transactions.
    """
    commands = RegistryCommands(places)
    move = _fresh(commands)
    if move is None or move.before is None:
        return []
    champion = commands.champion()
    limits = Policy.load(champion.read(FILE)).retraining.watch
    if limits is None or now > move.moment + timedelta(hours=limits.hours):
        return []
    found = served(places, champion, move.moment)
    if found is None:
        return []
    try:
        before = open_named(commands.registry, move.before, trusted_keys(places))
    except ReleaseError:
        return []  # withdrawn from the registry: there is nothing to go back to
    reasons = regression(found.decided, found.by(before), found.truth, costs, limits)
    if reasons:
        why = f"worse than {before.version}: {'; '.join(reasons)}"
        commands.roll_back(SYSTEM, why[:MAX_WHY], champion.version, None)
        _withdraw(places, commands, why[:MAX_WHY])
    return reasons


def _fresh(commands: RegistryCommands) -> Move | None:
    """The champion's promotion, when that is how it became the champion."""
    moves = pointer(commands.registry).moves
    return moves[0] if moves and moves[0].event == PROMOTED else None


def _withdraw(places: Places, commands: RegistryCommands, why: str) -> None:
    """What was rolled back is no challenger either."""
    move = clear_challenger(commands.registry, SYSTEM, why)
    if move is not None:
        asyncio.run(tell(places, [move]))
