"""Who may call what: open routes, tokens and their scopes, routes and methods that are not there."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.harness import problems
from tests.harness.service import EVENTS, JSON, Service

SAMPLE = (EVENTS / "score_genuine.json").read_bytes()
SCOPE_OF = {
    ("POST", "/score"): "score:write",
    ("GET", "/decisions/some-id"): "decisions:read",
    ("POST", "/events/logins"): "events:write",
    ("GET", "/challenges/some-id"): "challenges:read",
    ("POST", "/challenges/some-id/verify"): "challenges:write",
    ("POST", "/challenges/some-id/resend"): "challenges:write",
    ("PUT", "/accounts/some-id/contact"): "challenges:write",
    ("GET", "/events"): "events:read",
    ("GET", "/webhooks"): "webhooks:write",
    ("POST", "/webhooks"): "webhooks:write",
    ("DELETE", "/webhooks/some-id"): "webhooks:write",
    ("POST", "/webhooks/some-id/secret"): "webhooks:write",
    ("POST", "/accounts/some-id/totp"): "challenges:write",
    ("DELETE", "/accounts/some-id/totp"): "challenges:write",
}


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/health", "application/json"),
        ("/ready", "application/json"),
        ("/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
    ],
)
def test_what_needs_no_token_answers(server: Service, path: str, media_type: str) -> None:
    answer = httpx.get(server.address + path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


@pytest.mark.parametrize(("method", "path"), SCOPE_OF)
def test_every_route_wants_a_good_token_with_its_scope(server: Service, method: str, path: str) -> None:
    scope = SCOPE_OF[method, path]
    others = tuple(set(SCOPE_OF.values()) - {scope})
    before = server.counts()
    good = server.token()
    head, claims, signature = good.split(".")
    tokens = {
        "none": None,
        "no scheme": good,
        "basic": f"Basic {good}",
        "empty": "Bearer",
        "garbage": "Bearer not-a-token",
        "expired": f"Bearer {server.token(ttl_s=-1)}",
        "unsigned": f"Bearer {head}.{claims}.",
        "signed for others": f"Bearer {head}.{claims}.{signature[:-4]}AAAA",
        "5 MB": f"Bearer {'a' * 5_000_000}",
    }
    for name, token in tokens.items():
        headers = JSON if token is None else {**JSON, "Authorization": token}
        answer = httpx.request(method, server.address + path, headers=headers, content=b"{}")
        wrong = problems.faults(answer.status_code, answer.headers, answer.content, statuses=[401])
        assert not wrong, (name, wrong)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for scopes in (others, (), ("score", scope.upper(), f"{scope}x")):
        headers = {**JSON, "Authorization": f"Bearer {server.token(scopes=scopes)}"}
        answer = httpx.request(method, server.address + path, headers=headers, content=b"{}")
        assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[403]), scopes
    assert server.counts() == before


def test_a_token_of_another_installation_is_worth_nothing(server: Service, tmp_path: Path) -> None:
    foreign = Service(server.address, tmp_path, server.log)
    with foreign.client() as client:
        answer = client.post("/score", content=SAMPLE, headers=JSON)
    assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[401])


@pytest.mark.parametrize(
    "path", ["/", "/nope", "/score/", "/ready/", "/decisions", "/decisions/", "/events/", "/redoc"]
)
def test_an_unknown_route_is_a_problem(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[404])


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/score", "POST"),
        ("PUT", "/score", "POST"),
        ("DELETE", "/decisions/x", "GET"),
        ("POST", "/ready", "GET"),
        ("TRACE", "/health", "GET"),
        ("OPTIONS", "/score", "POST"),
        ("PATCH", "/events/logins", "POST"),
    ],
)
def test_a_wrong_method_is_a_problem(client: httpx.Client, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[405])
    assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == {allowed}
