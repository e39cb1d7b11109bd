"""The release that an embedded installation decides by, and whose signature it trusts."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from assay.release import load_trusted_keys
from assay.release.folder import FolderRegistry
from assay.release.registry import open_named, pointer
from assay.release.store import Release
from local.places import Places


def open_champion(places: Places) -> Release:
    """The release that decides. Raises `ReleaseError` with the reason when it must not be served."""
    registry = FolderRegistry(places.releases)
    return open_named(registry, pointer(registry), trusted_keys(places))


def trusted_keys(places: Places) -> list[Ed25519PublicKey]:
    """Whom this installation trusts: the keys beside the registry, and its own."""
    return load_trusted_keys(places.models / "keys", places.keys)
