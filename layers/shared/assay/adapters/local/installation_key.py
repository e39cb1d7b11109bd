"""The installation's own key in a folder of this machine."""

from __future__ import annotations

import secrets
from pathlib import Path

from assay.release.files import make_once
from assay.sealing import KEY_BYTES, InstallationKey

KEY_FILE = "installation.key"


def installation_key(folder: Path) -> InstallationKey:
    """The key in the folder, made when there is none; only its owner can read it. Raises `SealError` or `OSError`."""
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_once(path, secrets.token_bytes(KEY_BYTES), 0o600)
    return InstallationKey(path.read_bytes())
