"""What a deployed function serves: the registry's champion, followed while it runs; at last the copy in its image."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from assay.adapters.aws.objects import S3
from assay.errors import ReleaseError
from assay.release.bucket import BucketRegistry
from assay.release.champion import Champion
from assay.release.folder import FolderRegistry
from assay.release.keys import load_trusted_keys
from assay.release.registry import Registry, open_named, pointer
from assay.release.store import Release
from assay.schemas.base import Contract
from assay.stages import Handler

log = logging.getLogger(__name__)

MODELS = Path(__file__).resolve().parents[4] / "models"
"""Keys and packaged release; an image is laid out as the repository is."""
LOOK_EVERY_S = 15.0
"""Between looks at the pointer, beside requests."""
STALE_S = 45.0
"""Since the last look: a function that was not asked for so long looks before it answers."""
WAIT_S = 0.3
"""For that look. A registry that does not answer must not stop verdicts."""
MISSED_S = 5.0
HELD = 2
"""Releases that a stage keeps ready: callers may be some seconds ahead, or behind."""


def open_registry(location: str) -> Registry:
    """The registry at `s3://bucket/prefix` or in a folder. Raises `SettingsError`."""
    return BucketRegistry(location) if location.startswith(S3) else FolderRegistry(Path(location))


def served_champion(location: str) -> Champion:
    """What this function serves, of the registry at `location`. Raises ReleaseError, SettingsError."""
    trusted = load_trusted_keys(MODELS / "keys")
    release = open_champion(location, trusted, MODELS / "releases")
    packaged = FolderRegistry(MODELS / "releases")
    return Champion(open_registry(location), lambda: trusted, release, packaged=packaged)


def open_champion(location: str, trusted: Sequence[Ed25519PublicKey], packaged: Path) -> Release:
    """The champion of the registry at `location`, `s3://bucket/prefix` or a folder, verified with the trusted keys.

    When it cannot be had or must not be served: the champion of the folder `packaged`, and an error in the log.
    ReleaseError with both reasons when that must not be served either; SettingsError when there is no such location.
    """
    try:
        return _champion(open_registry(location), trusted)
    except ReleaseError as error:
        reason = f"releases at {location}: {error}"
    try:
        release = _champion(FolderRegistry(packaged), trusted)
    except ReleaseError as error:
        raise ReleaseError(f"{reason}; packaged copy: {error}") from None
    log.error("%s; serving the packaged copy %s", reason, release)
    return release


def _champion(registry: Registry, trusted: Sequence[Ed25519PublicKey]) -> Release:
    return open_named(registry, pointer(registry), trusted)


class KeepingUp:
    """A Lambda entry that follows the registry while it is invoked. A process stands still in between.

    The look is a thread's: an invocation does not wait for it, except after a longer pause.
    """

    def __init__(
        self, champion: Champion, entry: Callable[[Any, Any], Any], clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: must go on while the process stands still."""
        self._champion = champion
        self._entry = entry
        self._clock = clock
        self._looked_at = clock()
        self._look: threading.Thread | None = None

    def __call__(self, event: Any, context: Any) -> Any:  # noqa: ANN401 - any JSON may arrive
        """The entry's answer."""
        since = self._clock() - self._looked_at
        if since >= LOOK_EVERY_S:
            self._keep_up(WAIT_S if since >= STALE_S else 0.0)
        return self._entry(event, context)

    def _keep_up(self, wait_s: float) -> None:
        if self._look is None or not self._look.is_alive():
            self._look = threading.Thread(target=self._run, name="release", daemon=True)
            self._look.start()
        if wait_s:
            self._look.join(wait_s)

    def _run(self) -> None:
        self._champion.look()
        self._looked_at = self._clock()


class OfEachRelease:
    """A stage that answers by the release a request names, so that no verdict is made by two releases."""

    def __init__(self, champion: Champion, build: Callable[[Release], Handler]) -> None:
        """Raises what `build` raises for the release that serves first."""
        self._champion = champion
        self._build = build
        self._lock = threading.Lock()
        self._missed: tuple[str, float] = ("", 0.0)
        self._held: OrderedDict[str, Handler] = OrderedDict()
        self._hold(champion.current().hash, build(champion.current()))
        champion.follow(self._prepare)

    def __call__(self, request: Any) -> Contract:  # noqa: ANN401 - of the stage's type
        """The stage's answer. Raises `ReleaseError` when the release is not to be had."""
        hash_ = request.release or self._champion.current().hash
        handler = self._held.get(hash_)
        if handler is None:
            with self._lock:  # one fetches for all
                handler = self._held.get(hash_) or self._fetched(hash_)
        return handler(request)

    def _fetched(self, hash_: str) -> Handler:
        """What is not to be had is not looked for at every request: callers would not wait for it anyway."""
        missed, at = self._missed
        if missed == hash_ and time.monotonic() - at < MISSED_S:
            raise ReleaseError(f"{hash_[:12]!r}: was not to be had a moment ago")
        self._missed = (hash_, time.monotonic())
        handler = self._hold(hash_, self._build(self._champion.find(hash_)))
        self._missed = ("", 0.0)
        return handler

    def _prepare(self, release: Release) -> Callable[[], None]:
        handler = self._build(release)

        def use() -> None:
            with self._lock:
                self._hold(release.hash, handler)

        return use

    def _hold(self, hash_: str, handler: Handler) -> Handler:
        self._held[hash_] = handler
        self._held.move_to_end(hash_)
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        return handler
