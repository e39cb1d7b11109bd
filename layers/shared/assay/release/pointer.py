"""The pointer of a registry: which release it names, and the moves that made it so.

A file of lines: the release's version, for people and shell scripts, then the moves as JSON, the newest first. One that
holds a version only was written by hand. Whoever can write the registry can write a pointer: it chooses between
releases, and what makes a release good is its signature.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, ValidationError

from assay.errors import ReleaseError
from assay.moments import moment, now
from assay.release.manifest import VERSION_PATTERN, Sha256, Version
from assay.schemas.base import Contract, Token

CHAMPION = "CHAMPION"
CHALLENGER = "CHALLENGER"
MAX_POINTER_BYTES = 128 << 10
KEPT = 50
"""Moves that a pointer remembers. The audit log has all of them."""
NOBODY = ""
"""In the place of a version: the pointer names no release."""

Kind = Literal["release.promoted", "release.rolled_back", "release.challenged", "release.withdrawn"]
PROMOTED: Final = "release.promoted"
ROLLED_BACK: Final = "release.rolled_back"
CHALLENGED: Final = "release.challenged"
WITHDRAWN: Final = "release.withdrawn"
Why = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]

_VERSION = re.compile(VERSION_PATTERN.removesuffix("$") + r"\Z")


class Named(Contract):
    """A release as a pointer names it."""

    version: Version
    hash: Sha256


class Move(Contract):
    """One change of a pointer: what happened, from which release to which, when, by whom and why."""

    event: Kind
    id: Token
    """Of the event that tells of it, however often it is told."""
    at: Annotated[int, Field(ge=0)]
    """Microseconds since the epoch."""
    by: Token
    why: Why
    before: Named | None
    after: Named | None

    @property
    def moment(self) -> datetime:
        """When it was, UTC."""
        return moment(self.at)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer says."""

    version: str
    """`NOBODY` when it names none."""
    moves: tuple[Move, ...] = ()
    """The newest first."""

    @classmethod
    def read(cls, name: str, body: bytes) -> Self:
        """The pointer of a file's bytes. `ReleaseError` when it does not name a release, or contradicts itself."""
        version, *lines = body.decode("utf-8", "replace").split("\n")
        version = version.strip()
        if version != NOBODY and not _VERSION.match(version):
            raise ReleaseError(f"{name}: does not name a release")
        try:
            moves = tuple(Move.model_validate_json(line) for line in lines if line)
        except ValidationError:
            raise ReleaseError(f"{name}: holds what is no move") from None
        if version == NOBODY and not moves:
            raise ReleaseError(f"{name}: does not name a release")
        if moves and _version(moves[0].after) != version:
            raise ReleaseError(f"{name}: names {version or 'no release'}, which its last move does not")
        return cls(version, moves)

    def to_bytes(self) -> bytes:
        """As it is written."""
        return "\n".join([self.version, *(move.model_dump_json() for move in self.moves), ""]).encode()

    @property
    def hash(self) -> str | None:
        """Of the release; None when nobody said it."""
        after = self.moves[0].after if self.moves else None
        return after.hash if after else None

    def former(self) -> list[Named]:
        """The releases to go back to, the nearest first."""
        stack: list[Named] = []
        for move in reversed(self.moves):
            if move.event == PROMOTED and move.before is not None:
                stack.append(move.before)
            elif move.event == ROLLED_BACK and stack:
                stack.pop()
        return stack[::-1]


def move(
    pointer: Pointer | None, event: Kind, before: Named | None, after: Named | None, by: str, why: str
) -> tuple[Pointer, Move]:
    """The pointer after a move, and the move. `ReleaseError` for a name or a reason that cannot be kept."""
    id_ = f"evt_{secrets.token_hex(12)}"
    try:
        made = Move(event=event, id=id_, at=now(), by=by, why=why, before=before, after=after)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise ReleaseError(f"{fault['loc'][0]}: {fault['msg']}") from None
    earlier: Sequence[Move] = pointer.moves if pointer else ()
    return Pointer(_version(after), (made, *earlier)[:KEPT]), made


def _version(release: Named | None) -> str:
    return release.version if release else NOBODY
