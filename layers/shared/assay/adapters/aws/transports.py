"""Stages elsewhere: a Lambda function by its name, or a URL that AWS guards.

Both send a request once and never again: the caller has a deadline, and decides by itself what to do without an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError
from yarl import URL

from assay.errors import StageFailed, StageUnavailable
from assay.problems import safe_name
from assay.stages import Request, Response, Stage

MAX_ANSWER = 1 << 20
"""Bytes, as much as a stage takes: a rules result carries the texts of every rule that fired, and there may be 500."""
CONNECT_TIMEOUT_S = 1.0
REFUSED = frozenset({400, 413, 415, 422})
"""The request itself was refused: the stage is there, and the same request would be refused again."""
FAILED = REFUSED | {500, 501, 502}
"""Of a URL. Any other status (throttled, forbidden, not there, no time) is of something in front of the stage."""

_NO_ANSWER = (BotoCoreError, aiohttp.ClientError, OSError)
_CHUNK = 64 * 1024


def once(read_timeout_s: float) -> AioConfig:
    """What a client for `LambdaTransport` is made with: by default botocore invokes a function up to five times."""
    return AioConfig(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )


class Invoker(Protocol):
    """What is used of aiobotocore's client for "lambda"."""

    async def invoke(self, **arguments: object) -> dict[str, Any]:
        """Lambda's Invoke."""
        ...


class LambdaTransport:
    """Invokes a Lambda function and waits for its answer."""

    def __init__(self, client: Invoker, function: str) -> None:
        """`client`: made with the config of `once`. `function`: a name, or the ARN of an alias."""
        self._client = client
        self._function = function

    async def send(self, stage: Stage[Request, Response], request: Request) -> Response:
        """The function's answer. Raises `StageFailed` or `StageUnavailable`."""
        payload = request.model_dump_json().encode()
        try:
            answer = await self._client.invoke(FunctionName=self._function, Payload=payload)
            async with answer["Payload"] as stream:
                body = await _whole(stage, stream.iter_chunks(_CHUNK))
        except ClientError as error:
            raise _not_invoked(stage, error) from error
        except _NO_ANSWER as error:
            raise StageUnavailable(stage.name, type(error).__name__) from error
        if "FunctionError" in answer:
            raise StageFailed(stage.name, f"FunctionError {answer['FunctionError']}")
        return _parsed(stage, body)


class Signer:
    """Signs requests to function URLs (AWS Signature Version 4) with the credentials of the SDK's session."""

    def __init__(self, session: AioSession, region: str) -> None:
        self._session = session
        self._region = region

    async def headers(self, url: str, body: bytes) -> dict[str, str]:
        """The headers of a signed POST of JSON. Raises `BotoCoreError` when there are no credentials."""
        # asked for each time: the credentials of a role are exchanged every few hours
        credentials = await self._session.get_credentials()
        frozen = None if credentials is None else await credentials.get_frozen_credentials()
        request = AWSRequest("POST", url, {"Content-Type": "application/json"}, body)
        SigV4Auth(frozen, "lambda", self._region).add_auth(request)
        return dict(request.headers.items())


class UrlTransport:
    """POSTs to a function URL, or to whatever else answers like one."""

    def __init__(self, http: aiohttp.ClientSession, url: str, signer: Signer) -> None:
        """`http`: as `http_session` makes it. `url`: absolute, percent-encoded already."""
        self._http = http
        self._url = url
        self._signer = signer

    async def send(self, stage: Stage[Request, Response], request: Request) -> Response:
        """The answer of the stage behind the URL. Raises `StageFailed` or `StageUnavailable`."""
        body = request.model_dump_json().encode()
        try:
            headers = await self._signer.headers(self._url, body)
            url = URL(self._url, encoded=True)  # sent as it was signed
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                body = await _whole(stage, answer.content.iter_chunked(_CHUNK))
        except _NO_ANSWER as error:
            raise StageUnavailable(stage.name, type(error).__name__) from error
        if status != 200:
            outcome = StageFailed if status in FAILED or status < 400 else StageUnavailable
            raise outcome(stage.name, f"HTTP {status}")
        return _parsed(stage, body)


def http_session(read_timeout_s: float) -> aiohttp.ClientSession:
    """What `UrlTransport` sends with. To be made in the event loop that uses it."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=read_timeout_s)
    return aiohttp.ClientSession(
        timeout=timeout,
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,  # an answer's size is limited as it is read
    )


async def _whole(stage: Stage[Any, Any], chunks: AsyncIterator[bytes]) -> bytes:
    """The body, read no further than is sane."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER:
            raise StageFailed(stage.name, f"an answer of more than {MAX_ANSWER} bytes")
    return bytes(body)


def _parsed(stage: Stage[Request, Response], body: bytes) -> Response:
    try:
        return stage.response_type.model_validate_json(body)
    except ValidationError as error:
        # not the error itself: it repeats what was answered, and this gets into the log
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(safe_name, wrong["loc"])) or "the answer"
        raise StageFailed(stage.name, f"not a valid answer: {where}: {wrong['type']}") from None


def _not_invoked(stage: Stage[Any, Any], error: ClientError) -> StageFailed | StageUnavailable:
    """Lambda itself refused: the request, or to run the function (throttled, not there, not allowed, a fault)."""
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    outcome = StageFailed if status in REFUSED else StageUnavailable
    return outcome(stage.name, code)
