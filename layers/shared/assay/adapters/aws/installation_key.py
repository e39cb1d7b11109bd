"""The installation's own key, out of a secret of Secrets Manager that AWS made and nobody has seen."""

from __future__ import annotations

import re
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from assay.adapters.aws.secrets import read_secrets
from assay.sealing import KEY_BYTES, InstallationKey, SealError

SCHEME = "secretsmanager:"
_MADE = re.compile(r"[A-Za-z0-9]{64}", re.ASCII)
"""As `GenerateSecretString: {PasswordLength: 64, ExcludePunctuation: true}` makes it: 381 bits."""
_PURPOSE = b"assay.installation-key.v1"


async def read_installation_key(place: str, client: Any) -> InstallationKey:  # noqa: ANN401 - made at run time
    """The key that HKDF-SHA256 derives from the secret's text. `place`: `secretsmanager:` and its name or ARN.

    `client`: of "secretsmanager". Raises `SealError` for any other text, `StorageError` without the secret.
    """
    secret_id = place.removeprefix(SCHEME)
    text = (await read_secrets(client, [secret_id]))[secret_id]
    if not _MADE.fullmatch(text):
        raise SealError("the installation key's secret should be 64 letters and digits, as AWS makes it")
    return InstallationKey(HKDF(SHA256(), KEY_BYTES, salt=None, info=_PURPOSE).derive(text.encode()))
