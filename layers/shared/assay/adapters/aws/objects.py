"""Objects in S3, or the files of a folder, behind one interface.

By obstore, which loads in 10 ms: botocore costs 0.35 s, and a model stage must start cold in less than that.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from assay.errors import SettingsError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

S3 = "s3://"
Store = S3Store | LocalStore
FAULTS = (BaseError, OSError, ValueError)
"""Everything a store raises: obstore raises built-in ones too."""

_CONNECT_TIMEOUT = timedelta(seconds=2)
_TIMEOUT = timedelta(seconds=5)
_RETRIES: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=8)}


def open_store(location: str) -> Store:
    """The store under `s3://bucket/prefix`, or an existing folder. Nothing is fetched: a bucket is not asked whether
    it exists.

    Region and credentials are those of the environment or of the function's role. `AWS_ENDPOINT_URL_S3` or
    `AWS_ENDPOINT_URL` names a stand-in for AWS, over plain HTTP too. Raises `SettingsError` for any other location.
    """
    if location.startswith(S3):
        return _bucket(location)
    if not Path(location).is_dir():
        raise SettingsError(f"{location!r}: neither {S3}bucket/prefix nor a folder")
    return LocalStore(Path(location))


def cause(error: BaseException) -> str:
    """The first line: obstore adds a dump of its own structures."""
    return str(error).partition("\n")[0][:300]


def is_bucket_missing(error: FileNotFoundError) -> bool:
    """Whether it is the bucket that is not there, and not the object: nothing else tells the two kinds of 404 apart."""
    return "<Code>NoSuchBucket</Code>" in str(error)


def _bucket(location: str) -> S3Store:
    bucket, _, prefix = location.removeprefix(S3).partition("/")
    if not bucket:
        raise SettingsError(f"{location}: names no bucket")
    # S3 refuses an object without a checksum where Object Lock has a default retention. It costs nothing: it is signed.
    config: S3Config = {"virtual_hosted_style_request": True, "checksum_algorithm": "sha256"}
    options: ClientConfig = {"connect_timeout": _CONNECT_TIMEOUT, "timeout": _TIMEOUT}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        config |= {"virtual_hosted_style_request": False, "endpoint": endpoint}  # it has no host name per bucket
        options["allow_http"] = endpoint.startswith("http://")
    prefix = prefix.strip("/")
    return S3Store(bucket, prefix=prefix or None, config=config, client_options=options, retry_config=_RETRIES)
