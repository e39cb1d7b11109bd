"""The commands over a release registry: a folder beside an embedded installation, or a bucket of one on AWS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assay.errors import AssayError, ReleaseError
from assay.release.difference import difference
from assay.release.keys import key_names
from assay.release.pointer import CHAMPION, Move, Pointer
from assay.release.registry import Registry, challenger, open_named, pointer, promote, roll_back
from assay.release.served import open_registry
from assay.release.store import Release
from assay.release.telling import moved
from functions.orchestrator.pipeline import Settings
from local.champion import trusted_keys
from local.inline_stages import inline_stages
from local.places import Places
from local.releases import tell


@dataclass(frozen=True, slots=True)
class OnAws:
    """Where a move is announced on AWS."""

    outbox: str
    events_topic: str
    """ARN."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A release of a registry, as `assay release list` shows it. A broken one has a reason and nothing else."""

    version: str
    state: str
    hash: str = ""
    signed_by: str = ""
    written: datetime | None = None
    reason: str = ""

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        written = self.written.isoformat() if self.written else None
        return {
            "version": self.version,
            "hash": self.hash or None,
            "signed_by": self.signed_by or None,
            "state": self.state,
            "reason": self.reason or None,
            "written": written,
        }


class RegistryCommands:
    """What can be done with one registry."""

    def __init__(self, places: Places, location: str = "") -> None:
        """`location`: `s3://bucket/prefix` or a folder; the installation's own, when empty. Raises `SettingsError`."""
        self._places = places
        self.registry: Registry = open_registry(location or str(places.releases))
        self._trusted = trusted_keys(places)

    def releases(self) -> tuple[list[Listed], str]:
        """All releases, and what is wrong with the pointer, if anything. A broken release disturbs no other."""
        found, fault = _attempt(lambda: pointer(self.registry))
        challenging, _ = _attempt(lambda: challenger(self.registry))
        former = found.former() if found else []
        states = {}
        if former:
            states[former[0].version] = "previous"
        if challenging:
            states[challenging.version] = "challenger"
        if found:
            states[found.version] = "champion"
        versions = self.registry.versions()
        if found and found.version not in versions:
            fault = f"{CHAMPION}: names {found.version}, which is not there"
        return [self._listed(version, states.get(version, "candidate"), found) for version in versions], fault

    def champion(self) -> Release:
        """The release that decides. Raises `ReleaseError`."""
        return open_named(self.registry, pointer(self.registry), self._trusted)

    def open(self, version: str) -> Release:
        """A release, verified. Raises `ReleaseError`."""
        return self.registry.open(version, self._trusted)

    def history(self) -> list[Move]:
        """Moves of the champion, the newest first. Raises `ReleaseError`."""
        return list(pointer(self.registry).moves)

    def difference(self, before: str, after: str) -> dict[str, Any]:
        """As `assay.release.difference`."""
        return difference(self.open(before), self.open(after))

    def promote(self, version: str, by: str, why: str, expected: str | None, aws: OnAws | None) -> Move:
        """Lets the release decide, and announces it. Raises `ChampionMoved`, `ReleaseError`, `StorageError`."""
        return self._moved(lambda: promote(self.registry, version, self._trusted, by, why, expected, servable), aws)

    def roll_back(self, by: str, why: str, expected: str | None, aws: OnAws | None) -> Move:
        """Lets the release before decide, and announces it. Raises as `promote`."""
        return self._moved(lambda: roll_back(self.registry, self._trusted, by, why, expected, servable), aws)

    def _moved(self, change: Callable[[], Move], aws: OnAws | None) -> Move:
        def announce(moves: Sequence[Move]) -> None:
            asyncio.run(tell(self._places, moves) if aws is None else _publish(moves, aws))

        return moved(self.registry, change, announce)

    def _listed(self, version: str, state: str, found: Pointer | None) -> Listed:
        try:
            release = self.open(version)
            if state == "champion" and found and found.hash not in (release.hash, None):
                raise ReleaseError(f"{CHAMPION} names another one of this version")
        except ReleaseError as error:
            return Listed(version, "broken", written=self.registry.written(version), reason=_as(state, str(error)))
        names = key_names(self._places.models / "keys", self._places.keys)
        signed_by = names.get(release.signed_by, release.signed_by)
        return Listed(version, state, release.hash, signed_by, self.registry.written(version))


def servable(release: Release) -> None:
    """Raises `AssayError` for a release that a server could not be built from."""
    inline_stages(release)
    Settings.of(release)


def _as(state: str, reason: str) -> str:
    return reason if state == "candidate" else f"{state}: {reason}"


def _attempt(look: Callable[[], Any]) -> tuple[Any, str]:
    try:
        return look(), ""
    except AssayError as error:
        return None, str(error)


async def _publish(moves: Sequence[Move], aws: OnAws) -> None:
    from local.aws.releases import publish

    await publish(moves, aws.outbox, aws.events_topic)
