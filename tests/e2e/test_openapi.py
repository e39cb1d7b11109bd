"""Schemathesis over the running server's own description of itself: bounded, and the same examples every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.harness.service import Service

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)
"""Not `positive_data_acceptance`: calendars, minor units and code lists say more than a schema can."""
ROUTES = {
    ("POST", "/score"): {200, 400, 401, 403, 409, 413, 415, 422, 502, 503},
    ("GET", "/decisions/{transaction_id}"): {200, 401, 403, 404, 422, 503},
    ("GET", "/geoip/{ip}"): {200, 401, 403, 422, 502, 503},
    ("POST", "/events/logins"): {202, 400, 401, 403, 413, 415, 422, 503},
    ("POST", "/users"): {202, 400, 413, 415, 422, 429, 503},
    ("GET", "/users"): {200, 401, 403, 422, 503},
    ("GET", "/users/me"): {200, 401, 403, 503},
    ("POST", "/users/me/password"): {204, 400, 401, 403, 409, 413, 415, 422, 429, 503},
    ("GET", "/users/{id}"): {200, 401, 403, 404, 503},
    ("PATCH", "/users/{id}"): {200, 400, 401, 403, 404, 409, 413, 415, 422, 503},
    ("POST", "/auth/login"): {200, 400, 401, 403, 409, 413, 415, 422, 429, 503},
    ("POST", "/auth/refresh"): {200, 400, 401, 413, 415, 422, 503},
    ("POST", "/auth/logout"): {204, 401, 403, 503},
    ("POST", "/oauth/token"): {200, 400, 401, 413, 415, 429, 503},
    ("POST", "/clients"): {201, 400, 401, 403, 409, 413, 415, 422, 503},
    ("GET", "/clients"): {200, 401, 403, 422, 503},
    ("PATCH", "/clients/{id}"): {200, 400, 401, 403, 404, 409, 413, 415, 422, 503},
    ("POST", "/clients/{id}/secret"): {200, 401, 403, 404, 409, 503},
    ("GET", "/.well-known/jwks.json"): {200, 503},
    ("GET", "/audit/head"): {200, 401, 403, 503},
    ("GET", "/audit/records/{transaction_id}"): {200, 401, 403, 404, 422, 503},
    ("GET", "/alerts"): {200, 401, 403, 422, 503},
    ("GET", "/challenges/{challenge_id}"): {200, 401, 403, 404, 503},
    ("POST", "/challenges/{challenge_id}/verify"): {200, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503},
    ("POST", "/challenges/{challenge_id}/resend"): {200, 401, 403, 404, 409, 429, 503},
    ("PUT", "/accounts/{account_id}/contact"): {204, 400, 401, 403, 413, 415, 422, 503},
    ("DELETE", "/accounts/{account_id}/contact"): {204, 401, 403, 404, 422, 503},
    ("POST", "/accounts/{account_id}/totp/confirm"): {204, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503},
    ("POST", "/accounts/{account_id}/totp"): {201, 401, 403, 409, 422, 503},
    ("DELETE", "/accounts/{account_id}/totp"): {204, 401, 403, 404, 422, 503},
    ("GET", "/accounts/{account_id}/status"): {200, 401, 403, 422, 503},
    ("POST", "/accounts/{account_id}/release"): {200, 400, 401, 403, 409, 413, 415, 422, 503},
    ("GET", "/events"): {200, 401, 403, 422, 503},
    ("GET", "/webhooks"): {200, 401, 403, 503},
    ("POST", "/webhooks"): {201, 400, 401, 403, 409, 413, 415, 422, 503},
    ("DELETE", "/webhooks/{webhook_id}"): {204, 401, 403, 404, 503},
    ("POST", "/webhooks/{webhook_id}/secret"): {200, 401, 403, 404, 409, 503},
    ("POST", "/feedback"): {200, 400, 401, 403, 404, 409, 413, 415, 422, 503},
    ("GET", "/feedback"): {200, 401, 403, 422, 503},
    ("POST", "/feedback/import"): {200, 400, 401, 403, 413, 415, 422, 503},
    ("GET", "/feedback/{transaction_id}"): {200, 401, 403, 404, 422, 503},
    ("GET", "/intelligence/drift"): {200, 401, 403, 404, 503},
    ("GET", "/intelligence/patterns"): {200, 401, 403, 404, 503},
    ("GET", "/intelligence/rules"): {200, 401, 403, 422, 503},
    ("GET", "/health"): {200},
    ("GET", "/ready"): {200, 503},
}


@pytest.mark.parametrize(("phases", "examples"), [("examples,coverage", 1), ("fuzzing", 60)])
def test_what_is_described_is_what_happens(server: Service, tmp_path: Path, phases: str, examples: int) -> None:
    """Through the command line, its stable interface."""
    options = {
        "--header": f"Authorization: Bearer {server.token('schemathesis')}",
        "--checks": ",".join(CHECKS),
        "--phases": phases,
        "--max-examples": str(examples),
        "--seed": "7",
        "--workers": "1",
    }
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.address}/openapi.json", "--no-color"]
    command += ["--generation-deterministic", "--no-shrink", *(part for option in options.items() for part in option)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False)  # noqa: S603
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]


def test_every_route_and_status_is_described(server: Service) -> None:
    document = httpx.get(f"{server.address}/openapi.json").json()
    found = {
        (method.upper(), path): {int(status) for status in operation["responses"]}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found == ROUTES


def test_the_document_is_whole(server: Service) -> None:
    document = httpx.get(f"{server.address}/openapi.json").json()
    assert "HTTPValidationError" not in str(document)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            for status, answer in operation["responses"].items():
                plain = status < "300" or (path == "/oauth/token" and status < "402")  # RFC 6749 has its own errors
                media_type = "application/json" if plain else "application/problem+json"
                assert set(answer.get("content", ())) == (set() if status == "204" else {media_type})
    for path in ("/score", "/decisions/{transaction_id}", "/geoip/{ip}", "/events/logins"):
        assert all(operation["security"] == [{"bearer": []}] for operation in document["paths"][path].values())
