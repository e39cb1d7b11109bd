"""A registry holds releases and points at the one that decides, the champion, and at one that may, the challenger.

Releases are never overwritten and pointers are moved at once, so a reader sees the state before a move or after it. Of
two moves at the same time one is refused: it was decided on what is no longer so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from assay.errors import ChampionMoved, ReleaseError
from assay.release.folder import FolderRegistry
from assay.release.pointer import CHALLENGED, CHALLENGER, CHAMPION, PROMOTED, ROLLED_BACK, WITHDRAWN, Move, Named
from assay.release.pointer import Pointer as Pointer
from assay.release.pointer import move as moved
from assay.release.store import Release, is_version

SYSTEM = "system"
"""Who moves a pointer when no person does."""
Keys = Sequence[Ed25519PublicKey]
Check = Callable[[Release], object]
"""Raises `AssayError` for a release that cannot be served though it is signed."""
PARITY = "parity."
"""What begins the metrics that say how exactly the served models answer as the trained ones."""


class Registry(Protocol):
    """Where releases are. Every method raises `ReleaseError`."""

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A pointer's bytes, and the tag that they are replaced by. None: there is no such pointer."""
        ...

    def write(self, name: str, body: bytes, tag: str | None) -> bool:
        """Replaces the pointer that was read with this tag, None: that was not there. False: it is another by now."""
        ...

    def versions(self) -> list[str]:
        """Names of the releases, sorted; unverified."""
        ...

    def open(self, version: str, trusted: Keys) -> Release:
        """The release, verified and read whole."""
        ...

    def add(self, folder: Path) -> None:
        """Puts the signed release there that is in the folder of its version. Once more changes nothing; never over
        another."""
        ...

    def manifest(self, version: str) -> bytes:
        """The bytes of its manifest.json, unverified."""
        ...

    def written(self, version: str) -> datetime | None:
        """When the release came here, if that is known."""
        ...


def pointer(registry: Registry, name: str = CHAMPION) -> Pointer:
    """What the pointer says. Raises `ReleaseError` when there is none."""
    found = registry.read(name)
    if found is None:
        raise ReleaseError(f"{name}: not found")
    return Pointer.read(name, found[0])


def open_named(registry: Registry, named: Pointer | Named, trusted: Keys) -> Release:
    """The release that a pointer names. Raises `ReleaseError`, also for another one under the same version."""
    release = registry.open(named.version, trusted)
    if named.hash is not None and release.hash != named.hash:
        raise ReleaseError(f"{named.version}: is {release.hash[:12]}, {CHAMPION} names {named.hash[:12]}")
    return release


def promote(
    registry: Registry,
    version: str,
    trusted: Keys,
    by: str = SYSTEM,
    why: str = "",
    expected: str | None = None,
    check: Check | None = None,
) -> Move:
    """Lets a release decide from now on. `expected`: the version that is the champion now, or else nothing is done.

    Raises `ChampionMoved` when it is another one, by what was expected or because somebody else was faster, and
    `ReleaseError` for a release that must not be served, or is the champion already.
    """
    pointer_, tag = _held(registry, CHAMPION)
    _expect(pointer_, expected)
    if pointer_ is not None and pointer_.version == version:
        raise ReleaseError(f"{version}: is the champion")
    release = _servable(_opened(registry, version, trusted), check)
    after = Named(version=release.version, hash=release.hash)
    before = _named(registry, pointer_)
    changed, made = moved(pointer_, PROMOTED, before, after, by, why)
    _write(registry, CHAMPION, changed, tag)
    return made


def roll_back(
    registry: Registry,
    trusted: Keys,
    by: str = SYSTEM,
    why: str = "",
    expected: str | None = None,
    check: Check | None = None,
) -> Move:
    """Lets the release decide that did before the champion. Raises as `promote`."""
    pointer_, tag = _held(registry, CHAMPION)
    _expect(pointer_, expected)
    former = pointer_.former() if pointer_ else []
    if not former:
        raise ReleaseError(f"{CHAMPION}: there was none before; promote the release that is to decide")
    _servable(open_named(registry, former[0], trusted), check)
    changed, made = moved(pointer_, ROLLED_BACK, _named(registry, pointer_), former[0], by, why)
    _write(registry, CHAMPION, changed, tag)
    return made


def challenger(registry: Registry) -> Named | None:
    """The release that is scored in shadow, None: there is none. Raises `ReleaseError`."""
    found, _ = _held(registry, CHALLENGER)
    after = found.moves[0].after if found and found.moves else None
    champion_, _ = _held(registry, CHAMPION)
    return None if after is None or (champion_ and champion_.version == after.version) else after


def set_challenger(registry: Registry, version: str, trusted: Keys, by: str = SYSTEM, why: str = "") -> Move:
    """Lets a release be scored in shadow, in the place of any other. Raises `ReleaseError`, `ChampionMoved`."""
    pointer_, tag = _held(registry, CHALLENGER)
    release = _servable(_opened(registry, version, trusted), None)
    before = pointer_.moves[0].after if pointer_ and pointer_.moves else None
    after = Named(version=release.version, hash=release.hash)
    changed, made = moved(pointer_, CHALLENGED, before, after, by, why)
    _write(registry, CHALLENGER, changed, tag)
    return made


def clear_challenger(registry: Registry, by: str = SYSTEM, why: str = "") -> Move | None:
    """No release is scored in shadow any more; None when none was. Raises `ReleaseError`, `ChampionMoved`."""
    pointer_, tag = _held(registry, CHALLENGER)
    before = pointer_.moves[0].after if pointer_ and pointer_.moves else None
    if before is None:
        return None
    changed, made = moved(pointer_, WITHDRAWN, before, None, by, why)
    _write(registry, CHALLENGER, changed, tag)
    return made


def champion(root: Path) -> str:
    """Version of the release that decides, of a folder. ReleaseError when none is named, or not with a valid name."""
    return pointer(FolderRegistry(root)).version


def set_champion(root: Path, version: str, trusted: Keys) -> None:
    """`promote`, in a folder; nothing is done when the release is the champion already."""
    registry = FolderRegistry(root)
    found, _ = _held(registry, CHAMPION)
    if found is None or found.version != version:
        promote(registry, version, trusted)


def _held(registry: Registry, name: str) -> tuple[Pointer | None, str | None]:
    """A pointer as it is, and its tag."""
    found = registry.read(name)
    return (Pointer.read(name, found[0]), found[1]) if found else (None, None)


def _expect(pointer_: Pointer | None, expected: str | None) -> None:
    if expected is not None and (pointer_ is None or pointer_.version != expected):
        now = pointer_.version if pointer_ else "none"
        raise ChampionMoved(f"{CHAMPION}: {expected} was expected, it is {now}; nothing was changed")


def _write(registry: Registry, name: str, changed: Pointer, tag: str | None) -> None:
    if not registry.write(name, changed.to_bytes(), tag):
        raise ChampionMoved(f"{name}: somebody else moved it at the same time; nothing was changed, look again")


def _opened(registry: Registry, version: str, trusted: Keys) -> Release:
    if not is_version(version):
        raise ReleaseError(f"{version[:64]!r}: no such release")
    try:
        return registry.open(version, trusted)
    except ReleaseError as error:
        raise ReleaseError(f"{version}: {error}") from error


def _servable(release: Release, check: Check | None) -> Release:
    if not any(name.startswith(PARITY) for name in release.manifest.metrics):
        raise ReleaseError(f"{release.version}: its manifest does not say how exactly its models are served")
    if check is not None:
        check(release)
    return release


def _named(registry: Registry, pointer_: Pointer | None) -> Named | None:
    """The release it names, to go back to. None when nobody can say which that is."""
    if pointer_ is None:
        return None
    try:
        hash_ = pointer_.hash or hashlib.sha256(registry.manifest(pointer_.version)).hexdigest()
    except ReleaseError:
        return None
    return Named(version=pointer_.version, hash=hash_)
