"""Releases for tests: the packaged one with another policy or other rules, signed by a key of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from assay.release.folder import FolderRegistry
from assay.release.keys import load_trusted_keys
from assay.release.manifest import FILES, ManifestBody
from assay.release.registry import open_named, pointer
from assay.release.store import Release, write_release
from local.places import MODELS

Change = Callable[[dict[str, Any]], object]


@cache
def packaged() -> Release:
    """The champion of the repository."""
    registry = FolderRegistry(MODELS / "releases")
    return open_named(registry, pointer(registry), load_trusted_keys(MODELS / "keys"))


def write_variant(root: Path, version: str, key: Ed25519PrivateKey, **changes: Change) -> Path:
    """A release as the packaged one; `changes`: file name without .yaml -> what is done to its mapping."""
    files = {name: packaged().read(name) for name in FILES}
    for name, change in changes.items():
        mapping = yaml.safe_load(files[f"{name}.yaml"])
        change(mapping)
        files[f"{name}.yaml"] = yaml.safe_dump(mapping, sort_keys=False).encode()
    body = ManifestBody(**packaged().manifest.model_dump(exclude={"files"}))
    return write_release(root, body.model_copy(update={"version": version}), files, key)


def stricter(policy: dict[str, Any]) -> None:
    """Declines what would be challenged for its score."""
    policy["decline_above"] = policy["challenge_above"]


def every_flag_escalates(policy: dict[str, Any]) -> None:
    """As the default policy: a score counts from 0.5 on, and a FLAG whatever the score."""
    policy |= {"decline_above": 0.8, "challenge_above": 0.5, "flag_escalates_above": 0.0}


def copied_models(folder: Path, key: Ed25519PrivateKey | None = None) -> Path:
    """A models folder like the packaged one, of its own, that trusts the key too."""
    shutil.copytree(MODELS, folder)
    if key is not None:
        trust(folder, key)
    return folder


def trust(models: Path, key: Ed25519PrivateKey, name: str = "test") -> None:
    """Releases signed with the key are good there."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (models / "keys" / f"{name}.pub").write_bytes(pem)
