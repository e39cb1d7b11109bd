"""Who may call a function's routes, by what its settings name."""

from __future__ import annotations

from typing import Any

from assay.adapters.aws.jwks import open_verifier
from assay.adapters.aws.revocations import DynamoRevocations
from assay.identity.access import Access
from assay.settings import AccessSettings


async def open_access(settings: AccessSettings, dynamodb: Any) -> Access:  # noqa: ANN401 - made at run time
    """The check of every protected route. `dynamodb`: a client. Raises `SettingsError` without the keys of tokens."""
    verifier = await open_verifier(settings.jwks, settings.token_issuer, settings.token_audience)
    return Access(verifier, DynamoRevocations(dynamodb, settings.identity_table))
