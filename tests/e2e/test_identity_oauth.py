"""The token endpoint as RFC 6749 has it, and guesses at service clients' secrets."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest

from functions.users.throttle import CLIENT_ADDRESS, CLIENT_PAIR
from tests.harness import problems
from tests.harness.identity import HOME, Town, run

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRANT = "grant_type=client_credentials"


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def assert_error(answer: httpx.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def post(town: Town, body: str | bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return await town.call("POST", "/oauth/token", headers=FORM | (headers or {}), content=body)


def test_a_client_proves_itself_in_a_header_or_in_the_body(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        secret = await town.service_client("shop:eu", "score:write")
        in_body = f"{GRANT}&client_id=shop%3Aeu&client_secret={secret}"
        header = basic("shop%3Aeu", secret)
        for body, headers in (
            (in_body, {}),
            (GRANT, header),
            (f"{GRANT}&scope=score:write", header),
            (f"{GRANT}&scope=", header),
            (f"{GRANT}&resource=unknown", header),
            (in_body, {"Content-Type": f"{FORM['Content-Type']}; charset=UTF-8"}),
        ):
            answer = await post(town, body, headers)
            assert (answer.status_code, answer.json()["scope"]) == (200, "score:write"), body
            assert "refresh_token" not in answer.json()

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "invalid_request"),
        ("scope=score:write", "invalid_request"),
        ("grant_type=", "invalid_request"),
        (f"{GRANT}&{GRANT}", "invalid_request"),
        (f"{GRANT}&scope=a&scope=b", "invalid_request"),
        (f"{GRANT}&scope=%ff", "invalid_request"),
        (f"{GRANT}&client_id=shop", "invalid_request"),
        (f"{GRANT}&client_secret=x", "invalid_request"),
        ("&".join(f"p{n}=1" for n in range(50)), "invalid_request"),
        (f"{GRANT}\xe9".encode("latin-1"), "invalid_request"),
        ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("grant_type=refresh_token&refresh_token=a", "unsupported_grant_type"),
        ("grant_type=client_credentials%20", "unsupported_grant_type"),
        (f"{GRANT}&scope=decisions:read", "invalid_scope"),
        (f"{GRANT}&scope=identity:admin", "invalid_scope"),
        (f"{GRANT}&scope=score:write+identity:admin", "invalid_scope"),
        (f"{GRANT}&scope=SCORE:WRITE", "invalid_scope"),
    ],
)
def test_what_is_asked_wrongly(tmp_path: Path, body: str | bytes, error: str) -> None:
    async def scenario(town: Town) -> None:
        secret = await town.service_client("shop", "score:write")
        assert_error(await post(town, body, basic("shop", secret)), 400, error)

    run(tmp_path, scenario)


def test_who_is_not_the_client(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        secret = await town.service_client("shop", "score:write")
        answers = [
            await post(town, GRANT, headers)
            for headers in (
                basic("shop", "x"),
                basic("nobody", secret),
                basic("shop", ""),
                basic("", ""),
                basic("shop", f"{secret}x"),
                basic("Shop", secret),
                basic("x" * 5_000, secret),
                basic("shop", "x" * 5_000),
                {"Authorization": "Basic shop"},
                {"Authorization": "Basic ****"},
                {"Authorization": f"Bearer {secret}"},
                {"Authorization": "Basic"},
                {},
            )
        ]
        for answer in answers:
            assert_error(answer, 401, "invalid_client")
        assert len({answer.content for answer in answers}) == 1
        assert (await post(town, GRANT, basic("shop", secret))).status_code == 200

    run(tmp_path, scenario)


def test_what_is_no_form(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        for status, headers, body in (
            (415, {"Content-Type": "application/json"}, b"{}"),
            (413, FORM, b"a=" + b"x" * 70_000),
        ):
            answer = await town.call("POST", "/oauth/token", headers=headers, content=body)
            assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[status])

    run(tmp_path, scenario)


def test_guessing_secrets_is_limited_and_locks_nobody_out(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        secret = await town.service_client("shop", "score:write")
        for client_id in ("shop", "nobody"):
            answers = [await town.client_token(client_id, "wrong", "192.0.2.1") for _ in range(CLIENT_PAIR.most + 2)]
            assert [answer.status_code for answer in answers] == [401] * CLIENT_PAIR.most + [429] * 2
            assert not problems.faults(429, answers[-1].headers, answers[-1].content, statuses=[429])
            assert answers[-1].headers["retry-after"]
        for n in range(100):
            await town.client_token("shop", "wrong", f"192.0.2.{n}")
        for address in (HOME, "192.0.2.1", "192.0.2.200"):
            assert (await town.client_token("shop", secret, address)).status_code == 200
        answers = [await town.client_token(f"c{n}", "wrong", "192.0.2.250") for n in range(CLIENT_ADDRESS.most + 1)]
        assert [answer.status_code for answer in answers] == [401] * CLIENT_ADDRESS.most + [429]

    run(tmp_path, scenario)
