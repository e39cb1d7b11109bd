"""The release that decides in this process, and how it becomes another one while requests are served."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import TYPE_CHECKING

from assay.errors import AssayError, ReleaseError
from assay.release.pointer import CHAMPION, Named, Pointer
from assay.release.registry import Keys, Registry, open_named
from assay.release.store import Release

if TYPE_CHECKING:
    from assay.policy import Policy

log = logging.getLogger(__name__)
RETRY_S = 30.0
"""A release that was refused is looked at again after so long: it may have been the way to it."""
NOTE = "release"
Prepare = Callable[[Release], Callable[[], None]]
"""Builds what somebody needs of a release; gives what puts it into use, at once and without fail."""


class Champion:
    """Follows a registry's pointer. `look` may run in any thread; everything else is for all of them.

    A release is taken only when it verifies and everybody who follows can be built from it; else the one that serves
    stays, `/ready` notes why, and it is logged once.
    """

    def __init__(
        self,
        registry: Registry,
        trusted: Callable[[], Keys],
        release: Release,
        notes: MutableMapping[str, str] | None = None,
        packaged: Registry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`release`: what serves first. `trusted`: asked each time, so that a key may come later.

        `packaged`: where others may have their release from, when the registry is not to be had.
        """
        self.notes = {} if notes is None else notes
        self._registry = registry
        self._places = [registry, packaged] if packaged else [registry]
        self._trusted = trusted
        self._release = release
        self._clock = clock
        self._followers: list[Prepare] = []
        self._looking = threading.Lock()
        self._known: bytes | None = None
        """The pointer that was looked at last, with nothing left to do."""
        self._refused: bytes | None = None
        self._refused_at = 0.0
        self._told = ""

    def current(self) -> Release:
        """The release that decides now. Ask when it is needed, and keep it for one piece of work."""
        return self._release

    def follow(self, prepare: Prepare) -> None:
        """Has this run for every release from the next one on. In the order in which they began to follow."""
        self._followers.append(prepare)

    def follow_policy(self, use: Callable[[Policy], None]) -> None:
        """The same, of what needs no more than the release's policy."""
        from assay.policy import Policy  # the model stages begin without it, and sooner

        self.follow(lambda release: partial(use, Policy.of(release)))

    def look(self) -> Pointer | None:
        """Takes over the release that the registry names. The pointer, when it is another than at the last look.

        Costs one read when nothing has changed. Blocks while a release is read and built.
        """
        with self._looking:
            try:
                return self._look()
            except AssayError as error:
                self._note(str(error))
            except Exception as error:
                log.exception("a release could not be taken over")
                self._note(type(error).__name__)
            return None

    def find(self, hash_: str) -> Release:
        """A release that the registry's pointer names, as the champion or to go back to. Raises `ReleaseError`."""
        for place in self._places:
            for named in _names(place):
                if named.hash in (hash_, None):
                    release = open_named(place, named, self._trusted())
                    if release.hash == hash_:
                        return release
        raise ReleaseError(f"{hash_[:12]!r}: not a release that {CHAMPION} names")

    def _look(self) -> Pointer | None:
        found = self._registry.read(CHAMPION)
        if found is None:
            raise ReleaseError(f"{CHAMPION}: not found")
        body = found[0]
        if body == self._known:
            self._note("")
            return None
        if body == self._refused and self._clock() - self._refused_at < RETRY_S:
            return None
        self._refused, self._refused_at = body, self._clock()
        pointer = Pointer.read(CHAMPION, body)
        if not self._serves(pointer):
            self._take(open_named(self._registry, pointer, self._trusted()))
        self._known, self._refused = body, None
        self._note("")
        return pointer

    def _serves(self, pointer: Pointer) -> bool:
        same = pointer.hash in (self._release.hash, None)
        return same and pointer.version == self._release.version

    def _take(self, release: Release) -> None:
        uses = [prepare(release) for prepare in self._followers]
        before, self._release = self._release, release
        for use in uses:
            use()
        log.warning("release %s decides from now on, before it %s", release, before)

    def _note(self, fault: str) -> None:
        if fault:
            text = f"{fault}; {self._release.version} goes on"
            self.notes[NOTE] = text
            if text != self._told:
                log.error("release: %s", text)
        else:
            self.notes.pop(NOTE, None)
            text = ""
        self._told = text


def _names(registry: Registry) -> list[Pointer | Named]:
    found = registry.read(CHAMPION)
    if found is None:
        return []
    pointer = Pointer.read(CHAMPION, found[0])
    return [pointer, *pointer.former()]
