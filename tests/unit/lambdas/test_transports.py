"""Both transports against a Lambda service on this machine, and against everything it can do wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from assay import stages
from assay.adapters.aws.transports import MAX_ANSWER, LambdaTransport, Signer, UrlTransport, http_session, once
from assay.errors import StageError, StageFailed, StageUnavailable
from assay.schemas.stages import FraudScore, ScoringInput
from assay.stage_client import StageClient, Transport
from tests.harness import stage_host
from tests.harness.stage_host import Fault, StageHost, cut, hanging_up, raising, refusing, saying, silent

STAGE = stages.XGBOOST_CLASSIFIER
NAME = STAGE.name
REQUEST = ScoringInput(transaction_id="t-1", features={"amount": 20.0, "channel": "web", "balance_before": None})
REGION = "eu-west-1"
PATIENCE_S = 30.0
GOOD = {"fraud_score": 0.25, "contributions": []}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")  # what an operator set for the stores must not re-send an invoke


@dataclass(slots=True)
class Wire:
    """A host and a transport to its one stage."""

    host: StageHost
    transport: Transport

    async def send(self, fault: Fault | None = None) -> FraudScore:
        """One call, with the stage as the fault has it."""
        self.host.faults = {} if fault is None else {NAME: fault}
        self.host.asked.clear()
        return await self.transport.send(STAGE, REQUEST)


def good(event: Any, _: Any) -> dict[str, Any]:
    if "requestContext" not in event:
        return GOOD
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(GOOD)}


@asynccontextmanager
async def wire(kind: str, read_timeout_s: float = PATIENCE_S) -> AsyncIterator[Wire]:
    """`kind`: lambda or url."""
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(stage_host.running({NAME: good}))
        yield Wire(host, await transport_to(kind, host, stack, read_timeout_s))


async def transport_to(kind: str, host: StageHost, stack: AsyncExitStack, read_timeout_s: float) -> Transport:
    session: AioSession = get_session()
    if kind == "lambda":
        client = session.create_client("lambda", region_name=REGION, endpoint_url=host.url, config=once(read_timeout_s))
        return LambdaTransport(await stack.enter_async_context(client), NAME)
    http = await stack.enter_async_context(http_session(read_timeout_s))
    return UrlTransport(http, host.url_of(NAME), Signer(session, REGION))


def run(kind: str, scenario: Callable[[Wire], Awaitable[None]], read_timeout_s: float = PATIENCE_S) -> None:
    async def main() -> None:
        async with wire(kind, read_timeout_s) as found:
            await scenario(found)

    asyncio.run(main())


KINDS = pytest.mark.parametrize("kind", ["lambda", "url"])

WRONG_ANSWERS = {
    "nothing": b"",
    "null": b"null",
    "no JSON": b"<html><body>Service Unavailable</body></html>",
    "half": b'{"fraud_score": 0.',
    "an array": b"[]",
    "a number": b"0.5",
    "empty": b"{}",
    "NaN": b'{"fraud_score": NaN}',
    "Infinity": b'{"fraud_score": -Infinity}',
    "1e999": b'{"fraud_score": 1e999}',
    "above": b'{"fraud_score": 1.0000001}',
    "below": b'{"fraud_score": -0.1}',
    "text": b'{"fraud_score": "0.5"}',
    "boolean": b'{"fraud_score": true}',
    "another stage's": b'{"if_score": 0.1, "if_anomaly": false}',
    "an unknown field": b'{"fraud_score": 0.5, "card": "4111111111111111"}',
    "a field named like a card": b'{"fraud_score": 0.5, "pan_4111111111111111": 1}',
    "not UTF-8": b'{"fraud_score": 0.5, "contributions": [{"feature": "\xff"}]}',
    "an error in disguise": b'{"errorMessage": "2026 Task timed out", "errorType": "Sandbox.Timedout"}',
    "nested without end": b'{"contributions": ' + b"[" * 100_000,
    "7 MB": b'{"fraud_score": 0.5' + b" " * 7_000_000 + b"}",
    "compressed": b"\x1f\x8b\x08\x00",
}


@KINDS
def test_a_good_answer(kind: str) -> None:
    async def scenario(wire: Wire) -> None:
        assert await wire.send() == FraudScore(fraud_score=0.25)
        assert wire.host.asked == {NAME: 1}
        assert json.loads(wire.host.last_body) == REQUEST.model_dump()

    run(kind, scenario)


@KINDS
def test_an_integer_is_a_number(kind: str) -> None:
    async def scenario(wire: Wire) -> None:
        assert (await wire.send(saying(b'{"fraud_score": 1}'))).fraud_score == 1.0

    run(kind, scenario)


@KINDS
def test_an_answer_up_to_the_limit_is_read(kind: str) -> None:
    body = b'{"fraud_score": 0.5}'

    async def scenario(wire: Wire) -> None:
        assert (await wire.send(saying(body.ljust(MAX_ANSWER)))).fraud_score == 0.5
        with pytest.raises(StageFailed, match="bytes"):
            await wire.send(saying(body.ljust(MAX_ANSWER + 1)))

    run(kind, scenario)


@KINDS
def test_what_is_no_answer_fails_the_stage_and_the_next_call_works(kind: str) -> None:
    async def scenario(wire: Wire) -> None:
        for name, body in WRONG_ANSWERS.items():
            with pytest.raises(StageFailed) as failed:
                await wire.send(saying(body))
            assert wire.host.asked == {NAME: 1}, name
            assert "4111111111111111" not in str(failed.value)
            assert (await wire.send()).fraud_score == 0.25, name

    run(kind, scenario)


FAULTS: dict[str, dict[str, tuple[Fault, type[StageError]]]] = {
    "lambda": {
        "the function raised": (raising, StageFailed),
        "it raised, and says a score": (
            saying(b'{"fraud_score": 0.0}', **{"X-Amz-Function-Error": "Unhandled"}),
            StageFailed,
        ),
        "throttled": (refusing(429, "TooManyRequestsException"), StageUnavailable),
        "not there": (refusing(404, "ResourceNotFoundException"), StageUnavailable),
        "not allowed": (refusing(403, "AccessDeniedException"), StageUnavailable),
        "the service fails": (refusing(500, "ServiceException"), StageUnavailable),
        "the runtime is gone": (refusing(502, "InvalidRuntimeException"), StageUnavailable),
        "the service is away": (refusing(503, "ServiceUnavailableException"), StageUnavailable),
        "an HTML page of a proxy": (saying(b"<html>", 504, "text/html"), StageUnavailable),
        "too large": (refusing(413, "RequestTooLargeException"), StageFailed),
        "not understood": (refusing(400, "InvalidRequestContentException"), StageFailed),
        "hangs up": (hanging_up, StageUnavailable),
        "cut": (cut, StageUnavailable),
    },
    "url": {
        "a fault of the stage": (saying(b"{}", 500), StageFailed),
        "the function raised": (saying(b"Internal Server Error", 502, "text/plain"), StageFailed),
        "a refused request": (saying(b"{}", 422, "application/problem+json"), StageFailed),
        "a score with an error's status": (saying(b'{"fraud_score": 0.0}', 500), StageFailed),
        "a score that was only accepted": (saying(b'{"fraud_score": 0.0}', 202), StageFailed),
        "compressed, unasked": (
            saying(gzip.compress(b'{"fraud_score": 0.5}'), **{"Content-Encoding": "gzip"}),
            StageFailed,
        ),
        "moved": (saying(b"", 307, Location="/url/elsewhere/"), StageFailed),
        "not there": (saying(b"", 404), StageUnavailable),
        "not allowed": (saying(b'{"Message": "Forbidden"}', 403), StageUnavailable),
        "throttled": (saying(b"", 429), StageUnavailable),
        "unavailable": (saying(b"<html>", 503, "text/html"), StageUnavailable),
        "no time": (saying(b"", 504), StageUnavailable),
        "hangs up": (hanging_up, StageUnavailable),
        "cut": (cut, StageUnavailable),
    },
}


@KINDS
def test_a_fault_has_its_outcome_after_one_request(kind: str) -> None:
    async def scenario(wire: Wire) -> None:
        for name, (fault, outcome) in FAULTS[kind].items():
            with pytest.raises(StageError) as failed:
                await wire.send(fault)
            assert type(failed.value) is outcome, (name, failed.value)
            assert wire.host.asked == {NAME: 1}, name
            assert (await wire.send()).fraud_score == 0.25, name

    run(kind, scenario)


@KINDS
def test_a_stage_that_is_silent_is_given_up(kind: str) -> None:
    """By the transport's own timeout, and by the caller's deadline, whichever is first."""

    async def scenario(wire: Wire) -> None:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StageUnavailable):
                await wire.send(silent)
        assert wire.host.asked == {NAME: 1}

    async def hurried(wire: Wire) -> None:
        wire.host.faults = {NAME: silent}
        client = StageClient({}, {NAME: wire.transport})
        with pytest.raises(StageUnavailable, match="out of time"):
            await client.call(STAGE, REQUEST, client.clock() + 0.2)
        assert wire.host.asked == {NAME: 1}
        assert (await wire.send()).fraud_score == 0.25

    run(kind, scenario, read_timeout_s=0.2)
    run(kind, hurried)


@KINDS
def test_nobody_listens(kind: str) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            async with stage_host.running({}) as host:
                transport = await transport_to(kind, host, stack, PATIENCE_S)
            with pytest.raises(StageUnavailable):
                await transport.send(STAGE, REQUEST)

    asyncio.run(main())


@KINDS
def test_without_credentials_the_stage_cannot_be_reached(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    async def scenario(wire: Wire) -> None:
        with pytest.raises(StageUnavailable, match="NoCredentials"):
            await wire.send()
        assert not wire.host.asked

    run(kind, scenario)


def test_a_url_is_signed_for_lambda_with_the_session() -> None:
    """The signature is computed again from what arrived, as the service does."""

    async def scenario(wire: Wire) -> None:
        await wire.send()
        request = wire.host.last
        assert request is not None
        arrived = {name.lower(): value for name, value in request.headers.items()}
        assert arrived["x-amz-security-token"] == "session"
        scope = f"{arrived['x-amz-date'][:8]}/{REGION}/lambda/aws4_request"
        assert f"Credential=AKIDEXAMPLE/{scope}" in arrived["authorization"]
        signed = arrived["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        assert {"host", "content-type", "x-amz-date", "x-amz-security-token"} <= set(signed)
        assert arrived["authorization"].endswith(f"Signature={resigned(request, wire.host.last_body, signed)}")

    run("url", scenario)


def resigned(request: web.Request, body: bytes, signed: list[str]) -> str:
    headers = {name: request.headers[name] for name in signed}
    again = AWSRequest("POST", str(request.url), headers, body)
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "secret", "session"), "lambda", REGION)
    return str(signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again))


def test_a_client_that_is_not_made_with_once_would_send_again() -> None:
    """What `once` is for: the SDK's default, on the same fault, asks more than once."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(stage_host.running({NAME: good}))
            host.faults = {NAME: refusing(429, "TooManyRequestsException")}
            config = AioConfig(retries={"mode": "standard", "total_max_attempts": 2})
            made = get_session().create_client("lambda", region_name=REGION, endpoint_url=host.url, config=config)
            client = await stack.enter_async_context(made)
            with pytest.raises(StageUnavailable):
                await LambdaTransport(client, NAME).send(STAGE, REQUEST)
            assert host.asked == {NAME: 2}

    asyncio.run(main())
