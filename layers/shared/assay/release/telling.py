"""Events of the registry's moves. Apart from `pointer`: a stage reads pointers, and starts faster without."""

from __future__ import annotations

from assay.release.pointer import Move
from assay.schemas.event import SYSTEM, Event, Fact


def event_of(move: Move) -> Event:
    """The same event each time. Who moved a pointer is what the command was told, so the actor is the system."""
    facts: dict[str, Fact] = {"by": move.by, "why": move.why}
    for name, release in (("before", move.before), ("after", move.after)):
        facts[f"{name}.version"] = release.version if release else None
        facts[f"{name}.hash"] = release.hash if release else None
    return Event(event=move.event, id=move.id, client_id=SYSTEM, occurred_at=move.moment, data=facts)
