"""Opens and writes releases.

A release is a folder `<root>/<version>/`: manifest.json, manifest.sig (Ed25519 over the bytes of manifest.json) and the
files of `manifest.FILES`. Nothing is parsed before the signature has been verified, and no file is used before its hash
has: a mutated model file must not reach any parser.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from assay.errors import ReleaseError
from assay.release.files import read_regular, sync_folder, write_new
from assay.release.keys import fingerprint
from assay.release.manifest import (
    FILES,
    MANIFEST,
    SIGNATURE,
    VERSION_PATTERN,
    Manifest,
    ManifestBody,
    decode,
    encode,
)

MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 64 << 20
_SIGNATURE_BYTES = 64
_VERSION = re.compile(VERSION_PATTERN.removesuffix("$") + r"\Z")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Release:
    """A verified release. It holds the very bytes that were verified, so the folder may change or vanish after."""

    hash: str
    """SHA-256 of manifest.json, hex: it covers every file."""
    manifest: Manifest
    signed_by: str
    """Fingerprint of the key that its signature is of."""
    _files: Mapping[str, bytes]

    @property
    def version(self) -> str:
        """Name of the release."""
        return self.manifest.version

    def read(self, name: str) -> bytes:
        """The verified bytes of a file; ReleaseError when the release holds no such file."""
        try:
            return self._files[name]
        except KeyError:
            raise ReleaseError(f"{name}: not a file of a release") from None

    def __repr__(self) -> str:
        return f"Release({self.version}, {self.hash[:12]})"


def open_release(folder: Path, trusted: Sequence[Ed25519PublicKey]) -> Release:
    """Verifies a release against the trusted keys and reads it whole. ReleaseError names the file that is wrong."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{folder.name}: no such release ({error})") from error
    try:
        return _open(folder.resolve().name, descriptor, trusted)
    finally:
        os.close(descriptor)


def _open(name: str, folder: int, trusted: Sequence[Ed25519PublicKey]) -> Release:
    document = read_regular(MANIFEST, MAX_MANIFEST_BYTES, folder)
    signature = read_regular(SIGNATURE, _SIGNATURE_BYTES, folder)
    signer = next((key for key in trusted if _signed(key, signature, document)), None)
    if signer is None:
        raise ReleaseError(f"{SIGNATURE}: not the signature of {MANIFEST} by any of the {len(trusted)} trusted keys")
    manifest = decode(document)
    if manifest.version != name:
        raise ReleaseError(f"{MANIFEST}: is of version {manifest.version}, in the folder {name}")
    extra = set(os.listdir(folder)) - {*FILES, MANIFEST, SIGNATURE}
    if extra:
        raise ReleaseError(f"{min(extra)}: not a file of a release")
    files = {file: read_regular(file, MAX_FILE_BYTES, folder) for file in FILES}
    for file, data in files.items():
        if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), manifest.files[file]):
            raise ReleaseError(f"{file}: does not match its SHA-256 in {MANIFEST}")
    return Release(hashlib.sha256(document).hexdigest(), manifest, fingerprint(signer), files)


def _signed(key: Ed25519PublicKey, signature: bytes, document: bytes) -> bool:
    try:
        key.verify(signature, document)
    except InvalidSignature:
        return False
    return True


def write_release(root: Path, body: ManifestBody, files: Mapping[str, bytes], key: Ed25519PrivateKey) -> Path:
    """Signs and writes a release, whole or not at all; the folder it is in.

    Writing the same bytes again changes nothing. ReleaseError when a file is missing, extra or too large, or the
    version exists with other bytes.
    """
    for name, data in files.items():
        if len(data) > MAX_FILE_BYTES:
            raise ReleaseError(f"{name}: larger than {MAX_FILE_BYTES} bytes")
    document = encode(body, dict(files))
    return write_signed(root, body.version, {**files, MANIFEST: document, SIGNATURE: key.sign(document)})


def signed_files(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of all files of a release, unverified. ReleaseError when one cannot be read."""
    limits = dict.fromkeys(FILES, MAX_FILE_BYTES) | {MANIFEST: MAX_MANIFEST_BYTES, SIGNATURE: _SIGNATURE_BYTES}
    return {name: read_regular(str(folder / name), limit) for name, limit in limits.items()}


def write_signed(root: Path, version: str, content: Mapping[str, bytes]) -> Path:
    """Writes the files of a release that is signed already, whole or not at all; as `write_release`."""
    root.mkdir(parents=True, exist_ok=True)
    target = root / version
    temporary = root / f".{version}.{secrets.token_hex(8)}"
    temporary.mkdir()
    try:
        for name, data in sorted(content.items()):
            write_new(temporary / name, data)
        sync_folder(temporary)
        _publish(temporary, target, content)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    sync_folder(root)
    return target


def _publish(temporary: Path, target: Path, content: Mapping[str, bytes]) -> None:
    try:
        temporary.rename(target)  # refused by the system when the target holds anything
    except OSError as error:
        if not target.is_dir():
            raise ReleaseError(f"{target.name}: cannot be written ({error})") from error
        if {path.name for path in target.iterdir()} != content.keys() or any(
            (target / name).read_bytes() != data for name, data in content.items()
        ):
            raise ReleaseError(f"{target.name}: exists with other content; a release is never overwritten") from error


def versions(root: Path) -> list[str]:
    """Names of the releases in a folder, sorted; unverified."""
    return sorted(path.name for path in root.glob("*") if path.is_dir() and is_version(path.name))


def is_version(name: str) -> bool:
    """Whether it can be the name of a release."""
    return _VERSION.match(name) is not None
