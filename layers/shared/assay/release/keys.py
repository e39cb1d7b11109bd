"""Ed25519 keys of releases: whom an installation trusts, and what a trainer signs with."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from assay.errors import ReleaseError
from assay.release.files import read_regular, replace, write_new

_MAX_KEY_BYTES = 8_192


def load_trusted_keys(*folders: Path) -> list[Ed25519PublicKey]:
    """Every `*.pub` (PEM) of the folders; a folder that does not exist holds none. ReleaseError names a bad file."""
    return [_public(path) for path in _files(folders)]


def key_names(*folders: Path) -> dict[str, str]:
    """The name of the file, without `.pub`, by the fingerprint of the key in it. ReleaseError names a bad file."""
    return {fingerprint(_public(path)): path.stem for path in _files(folders)}


def fingerprint(key: Ed25519PublicKey) -> str:
    """Tells keys apart: of SHA-256 of the raw key, hex."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def load_or_create_signing_key(path: Path) -> Ed25519PrivateKey:
    """The private key of a PEM file, made when absent (mode 0600), with its public half beside it as `.pub`.

    ReleaseError when the file is not an Ed25519 key, or others may read it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _create(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ReleaseError(f"{path.name}: a signing key must be readable by its owner alone (chmod 600)")
    key = signing_key(read_regular(str(path), _MAX_KEY_BYTES), path.name)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    beside = path.with_suffix(".pub")
    if not beside.exists() or beside.read_bytes() != public:
        replace(beside, public)
    return key


def signing_key(pem: bytes, name: str) -> Ed25519PrivateKey:
    """The private key of a PEM text. ReleaseError calls it by the name when it is none."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ReleaseError(f"{name}: not a private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ReleaseError(f"{name}: not an Ed25519 key")
    return key


def _files(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.pub"))]


def _create(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_new(temporary, pem, 0o600)
    try:
        os.link(temporary, path)  # unlike a rename, never replaces a key that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes()[:_MAX_KEY_BYTES])
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ReleaseError(f"{path.name}: not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ReleaseError(f"{path.name}: not an Ed25519 key")
    return key
