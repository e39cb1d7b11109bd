"""The files of events/: each is of an entry point of the template, and gives what events/expected.json says."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assay import stages
from assay.geoip import GEOIP
from assay.http.lambda_events import HttpEvents
from functions.post_auth_intelligence.events import read_recorded as read
from local.embedded import Embedded
from local.places import Places
from local.tokens import SCOPES, mint
from tests.template.apps import DEPLOYED
from tests.template.invoke import outcome
from tests.template.limits import STAGES
from tests.template.outcomes import EVENTS, EXPECTED, TOKEN, event, faults
from tests.template.stack import ROOT, functions, logical_id, of_type, stack
from tests.template.wiring import routes

FOLDERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
KNOWN = [GEOIP, *(stage for stage in vars(stages).values() if isinstance(stage, stages.Stage))]
REQUESTS = {stage.name: stage.request_type for stage in KNOWN}
API_EVENTS = [file for file in EXPECTED if file.partition("/")[0] in DEPLOYED and "routeKey" in event(file)]
SCHEDULED = [file for file in EXPECTED if "detail-type" in event(file)]
QUEUE_EVENTS = [file for file in EXPECTED if "Records" in event(file)]


def test_every_file_has_an_expectation() -> None:
    assert {str(path.relative_to(EVENTS)) for path in EVENTS.glob("*/*.json") if path.parent.name != "invalid"} == set(
        EXPECTED
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_entry_point_has_a_valid_and_an_invalid_event(folder: str) -> None:
    assert {expected["valid"] for file, expected in EXPECTED.items() if file.startswith(f"{folder}/")} == {True, False}


def test_every_event_belongs_to_a_function() -> None:
    assert {file.partition("/")[0] for file in EXPECTED} == set(functions(stack("all_separate")))


def test_no_file_holds_a_token() -> None:
    for path in EVENTS.rglob("*.json"):
        text = path.read_text()
        assert set(re.findall(r"Bearer ([^\"]+)", text)) <= {TOKEN}
        assert not re.search(r"eyJ[\w-]+\.eyJ", text)


@pytest.mark.parametrize("file", API_EVENTS)
def test_an_http_event_is_of_a_route_of_the_api(file: str) -> None:
    given = event(file)
    method, path = given["routeKey"].split(" ")
    assert (method, path) in routes(stack("all_separate"))
    assert given["requestContext"]["http"]["method"] == method
    for name, value in given.get("pathParameters", {}).items():
        path = path.replace(f"{{{name}}}", value)
    assert given["rawPath"] == given["requestContext"]["http"]["path"] == path


def test_every_route_of_the_api_has_a_valid_event() -> None:
    sent = {tuple(event(file)["routeKey"].split(" ")) for file in API_EVENTS if EXPECTED[file]["valid"]}
    assert sent == routes(stack("all_separate"))


def test_bodies_are_those_of_the_samples() -> None:
    samples = {path.stem: path.read_text() for path in (*EVENTS.glob("*.json"), *EVENTS.glob("invalid/*.json"))}
    same = {Path(file).stem: event(file)["body"] for file in API_EVENTS if Path(file).stem in samples}
    assert len(same) == 9
    assert all(json.loads(body) == json.loads(samples[name]) for name, body in same.items())


@pytest.mark.parametrize("stage", STAGES)
def test_a_direct_event_is_the_stages_request(stage: str) -> None:
    text = (EVENTS / stage / "direct.json").read_text()
    assert REQUESTS[stage].model_validate_json(text)
    assert json.loads(event(f"{stage}/url.json")["body"]) == json.loads(text)


@pytest.mark.parametrize("file", QUEUE_EVENTS)
def test_a_batch_is_of_the_functions_queue(file: str) -> None:
    folder = file.partition("/")[0]
    mappings = of_type(stack("all_separate"), "AWS::Lambda::EventSourceMapping")
    queues = [m["EventSourceArn"].removesuffix(".Arn") for name, m in mappings.items() if _folder(name) == folder]
    for record in event(file)["Records"]:
        assert record["eventSource"] == "aws:sqs"
        assert record["eventSourceARN"].rpartition(":")[2] in queues
        assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()


def _folder(mapping: str) -> str:
    words = re.findall("[A-Z][a-z]+", mapping.partition("Function")[0])
    return "_".join(words).lower()


def test_a_message_is_an_event_as_it_is_published() -> None:
    bodies = [record["body"].encode() for record in event("post_auth_intelligence/batch.json")["Records"]]
    assert [read(body).decision for body in bodies] == ["APPROVE", "DECLINE"]


@pytest.mark.parametrize("file", SCHEDULED)
def test_a_schedule_is_a_rule_of_eventbridge(file: str) -> None:
    rule = event(file)
    assert (rule["source"], rule["detail-type"]) == ("aws.events", "Scheduled Event")
    (name,) = (name for name in of_type(stack("all_separate"), "AWS::Events::Rule") if name in rule["resources"][0])
    assert logical_id(file.partition("/")[0]) in name


@pytest.mark.parametrize("folder", STAGES)
def test_events_give_what_is_expected(folder: str) -> None:
    """Of the functions that need no other service; the rest is for the container tests."""
    outcomes = _invoke(folder)
    assert outcomes
    assert [fault for file, outcome in outcomes.items() for fault in faults(file, outcome)] == []


def test_http_events_give_what_is_expected(tmp_path: Path) -> None:
    """The entry of HTTP that the functions share, over the embedded product."""
    loop = asyncio.new_event_loop()
    places = Places(tmp_path)
    embedded = Embedded(places)
    handler, token = HttpEvents(embedded.app, loop), mint(places.keys, "shop", SCOPES, 3600)
    loop.run_until_complete(embedded.start())
    files = [file for file in EXPECTED if file in API_EVENTS or file.startswith("orchestrator/")]
    found = [fault for file in files for fault in faults(file, outcome(handler, event(file, token)))]
    loop.run_until_complete(embedded.close())
    loop.close()
    assert found == []


def _invoke(folder: str) -> dict[str, Any]:
    places = {"ASSAY_RELEASES": str(ROOT / "models" / "releases")}
    command = [sys.executable, "-m", "tests.template.invoke", folder]
    done = subprocess.run(  # noqa: S603
        command, env={**os.environ, **places}, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, Any] = json.loads(done.stdout)
    return outcomes


@pytest.mark.parametrize(
    ("file", "other"),
    [
        ("rules_engine/direct.json", {"rules_flag": "ALLOW"}),
        ("rules_engine/direct.json", {}),
        ("rules_engine/direct.json", {"errorType": "RequestError", "errorMessage": ""}),
        ("rules_engine/s3_test.json", {"rules_flag": "ALLOW"}),
        ("rules_engine/url.json", {"statusCode": 502, "body": '{"rules_flag": "FLAG"}'}),
        ("rules_engine/url.json", {"statusCode": 200, "body": '{"rules_flag": "BLOCK"}'}),
        ("post_auth_intelligence/batch_poison.json", {"batchItemFailures": []}),
        ("post_auth_intelligence/batch.json", {"batchItemFailures": [{"itemIdentifier": "1"}]}),
    ],
)
def test_another_outcome_is_found(file: str, other: dict[str, Any]) -> None:
    assert faults(file, other)
