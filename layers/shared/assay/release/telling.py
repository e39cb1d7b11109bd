"""Events of the registry's moves. Apart from `pointer`: a stage reads pointers, and starts faster without."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay.errors import AssayError, StorageError
from assay.release.pointer import Move
from assay.release.registry import Registry, pointer
from assay.schemas.event import SYSTEM, Event, Fact

Tell = Callable[[Sequence[Move]], None]
"""Announces moves; the same move once more does no harm. Raises `StorageError`."""


def moved(registry: Registry, change: Callable[[], Move], tell: Tell) -> Move:
    """Moves the champion's pointer and tells of it. Raises what `change` raises, and `StorageError`.

    The move before is told once more, in case whoever made it ended too soon: it has the same id.
    """
    try:
        before = pointer(registry).moves[:1]
    except AssayError:
        before = ()
    if before:
        tell(before)
    move = change()
    try:
        tell([move])
    except StorageError as error:
        raise StorageError(f"done, but not announced: {error}; the same command once more announces it") from error
    return move


def event_of(move: Move) -> Event:
    """The same event each time. Who moved a pointer is what the command was told, so the actor is the system."""
    facts: dict[str, Fact] = {"by": move.by, "why": move.why}
    for name, release in (("before", move.before), ("after", move.after)):
        facts[f"{name}.version"] = release.version if release else None
        facts[f"{name}.hash"] = release.hash if release else None
    return Event(event=move.event, id=move.id, client_id=SYSTEM, occurred_at=move.moment, data=facts)
