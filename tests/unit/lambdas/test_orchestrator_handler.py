"""The orchestrator's Lambda entry over the embedded product: every event format, and everything that is no request."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from assay.errors import RequestError, SettingsError
from assay.http.lambda_events import RESERVE_S, HttpEvents
from assay.schemas.stages import Decision
from assay.schemas.strict_json import MAX_BODY
from assay.schemas.verdict import FraudVerdict
from functions.orchestrator.app import TIME_LEFT_S
from functions.orchestrator.metrics import count as count_verdict
from functions.orchestrator.pipeline import STAGES, Pipeline
from functions.orchestrator.placement import Placement, inline_stages, parse
from local import tokens
from local.champion import open_champion
from local.embedded import Embedded
from local.places import MODELS, Places
from local.tokens import SCOPES, mint
from tests.harness import problems
from tests.harness.http_events import FORMATS, Answer, Call, Context, Format, answer, explain, http_api_2, rest_api
from tests.harness.service import EVENTS

NUMBERS = count(1)
EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)


class Function:
    """The function as Lambda runs it: one event after the other, on a loop that stands still in between."""

    def __init__(self, data: Path) -> None:
        places = Places(data)
        self.loop = asyncio.new_event_loop()
        self.embedded = Embedded(places)
        self.loop.run_until_complete(self.embedded.start())
        self.handler = HttpEvents(self.embedded.app, self.loop)
        self.token = mint(places.keys, "shop", SCOPES, 3600)

    def close(self) -> None:
        self.loop.run_until_complete(self.embedded.close())
        self.loop.close()

    def call(self, call: Call, form: Format = http_api_2, context: Context | None = None) -> Answer:
        return answer(self.handler(form(call), context or Context()))  # type: ignore[arg-type]

    def post(self, body: bytes, form: Format = http_api_2, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return self.call(Call("POST", "/score", body, {**headers, **options.pop("headers", {})}, **options), form)

    def get(self, path: str, form: Format = http_api_2, **options: Any) -> Answer:
        return self.call(Call("GET", path, headers={"Authorization": f"Bearer {self.token}"}, **options), form)

    def is_well(self) -> bool:
        return self.post(payment()).status == 200


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    found = Function(tmp_path_factory.mktemp("lambda") / "data")
    yield found
    found.close()


def payment(**changes: Any) -> bytes:
    body, n = json.loads((EVENTS / "score_genuine.json").read_text()), next(NUMBERS)
    own = {"transaction_id": f"l-{n}", "account_id": f"a-{n}", "device_id": f"d-{n}", "ip_address": f"2001:db8::{n}"}
    return json.dumps({**body, **own, **changes}, ensure_ascii=False).encode()


@EVERY_FORMAT
@pytest.mark.parametrize("base64", [False, True])
@pytest.mark.parametrize("stage", ["$default", "prod"])
def test_a_verdict_in_every_format(function: Function, form: Format, base64: bool, stage: str) -> None:
    body = payment()
    first = function.post(body, form, base64=base64, stage=stage)
    assert (first.status, first.headers["content-type"], first.is_base64) == (200, "application/json", False)
    assert FraudVerdict.model_validate_json(first.content).degraded == []
    identity = json.loads(body)["transaction_id"]
    assert function.get(f"/decisions/{identity}", form, stage=stage).content == first.content
    assert function.post(body, form, base64=not base64, stage=stage).content == first.content


@EVERY_FORMAT
def test_the_other_routes(function: Function, form: Format) -> None:
    assert function.call(Call("GET", "/health"), form).json() == {"status": "ok"}
    assert function.call(Call("GET", "/ready"), form).json() == {"status": "ready"}
    assert function.call(Call("GET", "/docs"), form).content.startswith(b"<!doctype html>")
    assert function.call(Call("GET", "/openapi.json"), form).json()["openapi"] == "3.1.0"
    assert function.call(Call("GET", "/nothing"), form).status == 404
    assert function.call(Call("GET", "/score"), form).status == 405


@EVERY_FORMAT
def test_headers_are_found_in_any_case(function: Function, form: Format) -> None:
    for change in (str.lower, str.upper, str.title):
        headers = {change("authorization"): f"Bearer {function.token}", change("content-type"): "application/json"}
        assert function.call(Call("POST", "/score", payment(), headers), form).status == 200


@EVERY_FORMAT
@pytest.mark.parametrize(
    ("query", "asked"), [(explain("true"), True), ("", False), (explain("false"), False), (explain("0", "1"), True)]
)
def test_an_explanation_is_asked_for_in_the_query(
    function: Function, form: Format, query: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    score = Pipeline.score

    async def spy(self: Pipeline, submission: Any, explain: bool, time_left_s: float, by: Any) -> bytes:
        seen.append(explain)
        return await score(self, submission, explain, time_left_s, by)

    monkeypatch.setattr(Pipeline, "score", spy)
    assert function.post(payment(), form, query=query).status == 200
    assert seen == [asked]


@EVERY_FORMAT
def test_a_refusal_is_a_problem_that_every_api_passes_on(function: Function, form: Format) -> None:
    """As text: a REST API without binary media types would give base64 to the caller as it is."""
    refusals = {
        401: function.post(payment(), form, headers={"Authorization": "Bearer no"}),
        413: function.post(b" " * (MAX_BODY + 1), form),
        415: function.post(payment(), form, headers={"Content-Type": "text/plain"}),
        422: function.post(payment(amount="1"), form),
        400: function.post(b"{", form),
    }
    for status, refusal in refusals.items():
        wrong = problems.faults(refusal.status, refusal.headers, refusal.content, statuses=[status])
        assert not wrong, (status, wrong)
        assert not refusal.is_base64
    assert refusals[401].headers["www-authenticate"].startswith("Bearer")


@EVERY_FORMAT
def test_bodies_that_are_none(function: Function, form: Format) -> None:
    for body in (None, b"", b"null", b"\xc3\x28", b"\xff\xfe"):
        headers = {"Authorization": f"Bearer {function.token}", "Content-Type": "application/json"}
        refused = function.call(Call("POST", "/score", body, headers, base64=body is not None), form)
        assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[400, 422])
    assert function.is_well()


def test_a_body_of_six_megabytes_is_refused_before_it_is_parsed(function: Function) -> None:
    refused = function.post(payment(note="x" * 4_400_000), base64=True)
    assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[413])


def test_text_beyond_ascii_arrives_whole(function: Function) -> None:
    refused = function.post(payment(kaffee_größe=1))
    assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[422])


S3_TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b", "RequestId": "r"}
S3_EVENT = {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}


@pytest.mark.parametrize(
    "event",
    [None, 1, "", "text", [], [1], {}, S3_TEST_EVENT, S3_EVENT, {"requestContext": None}, {"requestContext": "x"},
     {"httpMethod": "GET", "path": "/health"}, json.loads(payment())],
    ids=lambda event: str(event)[:24],
)  # fmt: skip
def test_what_is_no_http_event_is_said_to_be_none(function: Function, event: Any) -> None:
    with pytest.raises(RequestError, match="HTTP event"):
        function.handler(event, Context())  # type: ignore[arg-type]
    assert function.is_well()


def broken(form: Format, **changes: Any) -> dict[str, Any]:
    event = form(Call("POST", "/score", payment(), {"Content-Type": "application/json"}))
    return {**event, **changes}


BROKEN = {
    "no version": {"requestContext": {}},
    "no http": {"version": "2.0", "requestContext": {}},
    "half of it": {"version": "2.0", "requestContext": {"http": {"path": "/score"}}},
    "another version": {"version": 3, "requestContext": {}},
    "a path that is none": {"version": "2.0", "requestContext": {"http": {"path": 1, "method": "GET", "sourceIp": ""}}},
    "no base64": broken(http_api_2, body="a", isBase64Encoded=True),
    "a body that is no text": broken(http_api_2, body={"amount": 1}),
    "a lone surrogate": broken(http_api_2, body='{"a": "\ud800"}'),
    "headers that are none": broken(http_api_2, headers=[["a", "b"]]),
    "a header that is none": broken(http_api_2, headers={"content-type": None}),
    "a lone surrogate in a header": broken(http_api_2, headers={"x": "\ud800"}),
    "a port that is none": broken(http_api_2, headers={"x-forwarded-port": "443, 80"}),
    "a host with two ports": broken(http_api_2, headers={"host": "[::1]:80"}),
    "a query that is none": broken(http_api_2, rawQueryString=1),
    "REST, no method": {**rest_api(Call("GET", "/health")), "httpMethod": None},
    "REST, no path": {**rest_api(Call("GET", "/health")), "path": 7},
    "REST, a header that is none": broken(rest_api, multiValueHeaders={"a": [None]}),
}


@pytest.mark.parametrize("event", BROKEN.values(), ids=BROKEN)
def test_an_http_event_that_cannot_be_read_is_answered(function: Function, event: Any) -> None:
    refused = answer(function.handler(event, Context()))  # type: ignore[arg-type]
    assert not problems.faults(refused.status, refused.headers, refused.content, statuses=range(400, 500))
    assert function.is_well()


def test_a_fault_is_a_problem_and_the_next_request_works(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    async def faulty(*_: object) -> bytes:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "score", faulty)
        failed = function.post(payment())
    assert not problems.faults(failed.status, failed.headers, failed.content, statuses=[503])
    assert function.is_well()


def test_the_time_that_lambda_leaves_limits_the_decision(function: Function) -> None:
    """With none left there is no verdict, and nothing is counted; with enough of it, the policy's deadline holds."""
    body, context = payment(), Context(time_left_ms=0)
    headers = {"Authorization": f"Bearer {function.token}", "Content-Type": "application/json"}
    call = Call("POST", "/score", body, headers)
    late = function.call(call, context=context)
    assert not problems.faults(late.status, late.headers, late.content, statuses=[503])
    assert late.headers["retry-after"] == "1"
    again = function.call(call)
    assert (again.status, again.json()["degraded"]) == (200, [])


def test_the_app_is_told_of_the_time_that_is_left() -> None:
    async def left(request: Request) -> Response:
        return PlainTextResponse(str(request.scope[TIME_LEFT_S]))

    loop = asyncio.new_event_loop()
    handler = HttpEvents(Starlette(routes=[Route("/left", left)]), loop)
    told = answer(handler(http_api_2(Call("GET", "/left")), Context(2_500)))  # type: ignore[arg-type]
    loop.close()
    assert float(told.content) == 2.5 - RESERVE_S


def test_no_path_gets_into_the_log(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert function.get("/decisions/4111111111111111").status == 404
    for no_id in ("x" * 65, "x" * 5_000, "a%20b", "a%0A"):  # a store need not take such a key
        assert function.get(f"/decisions/{no_id}").status == 404
    assert "4111111111111111" not in caplog.text


def test_a_loop_that_another_has_replaced_does_not_matter(function: Function) -> None:
    async def nothing() -> None: ...

    asyncio.run(nothing())  # leaves the thread without a current loop
    assert function.is_well()


class Closing:
    """An HTTP server that ends a connection some time after its answer, as AWS ends idle ones."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(30)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.end, self.ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for _ in range(2):
            connection, _ = self._listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                self.end.wait(30)
            self.ended.set()

    def close(self) -> None:
        self.end.set()
        self._thread.join(30)
        self._listener.close()


def test_a_connection_that_ended_while_the_process_was_frozen_is_not_used_again() -> None:
    server, loop = Closing(), asyncio.new_event_loop()

    async def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    http = loop.run_until_complete(session())

    async def ask(_: Request) -> Response:
        async with http.post(server.url, data=b"{}") as reply:
            return Response(await reply.read())

    handler = HttpEvents(Starlette(routes=[Route("/ask", ask)]), loop)

    def invoke() -> Answer:
        return answer(handler(http_api_2(Call("GET", "/ask")), Context()))  # type: ignore[arg-type]

    assert invoke().content == b"ok"
    server.end.set()  # between two invocations, when the loop does not run
    assert server.ended.wait(30)
    assert invoke().content == b"ok"
    loop.run_until_complete(http.close())
    server.close()
    loop.close()


def test_a_new_verdict_is_counted_once(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = function.embedded.pipeline
    pipeline._observer = count_verdict
    try:
        body = payment()
        for _ in range(3):
            assert function.post(body).status == 200
    finally:
        pipeline._observer = None
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 1
    line = lines[0]
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    assert (metrics["Namespace"], metrics["Dimensions"]) == ("Assay", [["service"], ["decision"]])
    assert (line["service"], line["decision"], line["Verdicts"], line["Degraded"]) == (
        "orchestrator",
        "APPROVE",
        [1.0],
        [0.0],
    )


def test_counting_never_costs_a_verdict(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = FraudVerdict.model_validate_json(function.post(payment()).content)
    count_verdict(verdict.model_copy(update={"degraded": ["profile"], "decision": Decision.CHALLENGE}))
    assert json.loads(capsys.readouterr().out)["Degraded"] == [1.0]
    count_verdict(object())  # type: ignore[arg-type]


PLACES = {
    "inline": Placement("inline"),
    "lambda:rules-engine": Placement("lambda", "rules-engine"),
    "lambda:RulesEngineFunction:live": Placement("lambda", "RulesEngineFunction:live"),
    "lambda:arn:aws:lambda:eu-west-1:123456789012:function:a-b_c:live": Placement(
        "lambda", "arn:aws:lambda:eu-west-1:123456789012:function:a-b_c:live"
    ),
    "url:https://x.lambda-url.eu-west-1.on.aws/": Placement("url", "https://x.lambda-url.eu-west-1.on.aws/"),
    "url:http://127.0.0.1:8080/stage/": Placement("url", "http://127.0.0.1:8080/stage/"),
    "url:http://host.docker.internal:80/": Placement("url", "http://host.docker.internal:80/"),
}
NO_PLACES = [
    "", "inline:", "INLINE", "lambda:", "lambda:../x", "lambda:a b", "lambda:a\n", "url:", "url:https://", "url:ftp://h/",
    "url:http://example.com/", "url:http://127.0.0.1.evil.com/", "url:http://127.0.0.1@evil.com/",
    "url:https://user:secret@h/", "url:https://h/?q=1", "url:https://h/#f", "url:https://h\n/", "url:https://h/ ",
    "elsewhere",
]  # fmt: skip


@pytest.mark.parametrize("text", PLACES)
def test_a_placement(text: str) -> None:
    assert parse(text) == PLACES[text]


@pytest.mark.parametrize("text", NO_PLACES)
def test_what_is_no_placement(text: str) -> None:
    with pytest.raises(Exception, match="should be inline"):
        parse(text)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return open_champion(Places(tmp_path_factory.mktemp("release")))


def test_inline_stages_are_those_that_the_settings_name(release: Any) -> None:
    places = {"rules_engine": Placement("inline"), "autoencoder": Placement("lambda", "x")}
    assert list(inline_stages(places, release, {})) == ["rules_engine"]


def test_an_inline_stage_that_the_image_does_not_hold_is_named(release: Any) -> None:
    with pytest.raises(SettingsError, match=r"ASSAY_STAGE_NOT_BUILT: inline, but .* without functions\.not_built"):
        inline_stages({"not_built": Placement("inline")}, release, {})


def test_nothing_slow_but_the_sdk_is_imported(tmp_path: Path) -> None:
    """The entry of an orchestrator whose stages are elsewhere: no model, no other function, no second SDK."""
    jwks = tmp_path / "jwks.json"
    jwks.write_text(tokens.jwks(tmp_path / "keys"))
    names = {stage.name for stage in STAGES}
    given = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "ASSAY_RELEASES": str(MODELS / "releases"),
        "ASSAY_JWKS": str(jwks),
        "ASSAY_TOKEN_ISSUER": "i",
        "ASSAY_TOKEN_AUDIENCE": "a",
        **dict.fromkeys(
            ("ASSAY_DECISIONS_TABLE", "ASSAY_PROFILE_TABLE", "ASSAY_OUTBOX_TABLE", "ASSAY_IDENTITY_TABLE"), "t"
        ),
        "ASSAY_EVENTS_TOPIC": "arn:aws:sns:us-east-1:123456789012:events",
        **{f"ASSAY_STAGE_{name.upper()}": f"lambda:{name}" for name in names},
    }
    program = "import sys, functions.orchestrator.handler; print(*sys.modules)"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, **given}
    )
    imported = set(run.stdout.split())
    slow = {"numpy", "boto3", "fastapi", "uvicorn", "pydantic.v1", "aws_xray_sdk", "sqlite3", "polars", "sklearn"}
    assert not imported & (slow | {f"functions.{name}" for name in names})
    assert "aiobotocore" in imported
