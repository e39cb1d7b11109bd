"""Fills the bucket that the functions read: the champion release, and the keys that tokens are checked with."""

from __future__ import annotations

from collections.abc import Mapping

from assay.release import champion
from local import tokens
from local.aws.errors import TemplateError
from local.aws.resources import Client
from local.embedded import Places


def publish(variables: Mapping[str, Mapping[str, str]], places: Places, s3: Client) -> None:
    """Puts both where the functions' variables say they are. The pointer comes last, as in any publication."""
    version = champion(places.releases)
    files = sorted((places.releases / version).iterdir())
    for address in _values(variables, "ASSAY_RELEASES"):
        bucket, prefix = _place(address)
        for file in files:
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{version}/{file.name}", Body=file.read_bytes())
        s3.put_object(Bucket=bucket, Key=f"{prefix}/CHAMPION", Body=(places.releases / "CHAMPION").read_bytes())
    for address in _values(variables, "ASSAY_JWKS"):
        bucket, key = _place(address)
        s3.put_object(Bucket=bucket, Key=key, Body=tokens.jwks(places.keys).encode())


def _values(variables: Mapping[str, Mapping[str, str]], name: str) -> set[str]:
    return {environment[name] for environment in variables.values() if name in environment}


def _place(address: str) -> tuple[str, str]:
    scheme, _, place = address.partition("://")
    bucket, _, key = place.partition("/")
    if scheme != "s3" or not key:
        raise TemplateError(f"{address!r} is not s3://bucket/key")
    return bucket, key
