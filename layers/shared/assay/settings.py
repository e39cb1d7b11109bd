"""What a function reads from its environment: declared as fields, so that the template can be checked against them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.errors import SettingsError

PREFIX = "ASSAY_"


class Settings(BaseModel):
    """Base of a function's settings: the field `decisions_table` is the variable `ASSAY_DECISIONS_TABLE`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings, from strings. Raises `SettingsError` that names every variable that is missing or wrong."""
        given = {field: environment[variable] for field, variable in cls.variables().items() if variable in environment}
        try:
            return cls.model_validate_strings(given)
        except ValidationError as error:
            wrong = [f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
            raise SettingsError("; ".join(wrong)) from None

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Field -> environment variable."""
        return {field: f"{PREFIX}{field.upper()}" for field in cls.model_fields}


class AccessSettings(Settings):
    """Base of the settings of a function that checks tokens."""

    jwks: str
    """Keys that tokens are checked with: `s3://bucket/key` or a file."""
    token_issuer: str
    token_audience: str
    identity_table: str
    """Of it, the list of revoked sessions."""
