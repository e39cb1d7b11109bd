"""A decline freezes, the next payment is refused, an analyst releases, the next one is accepted again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.identity.scopes import Role, scopes_of
from local.cli import app
from local.tokens import SCOPES, issuer
from tests.harness import problems, state
from tests.harness.service import EVENTS, JSON, Service

NUMBERS = count(1)
REASON = {"reason": "The customer has called; verified by phone."}


@pytest.fixture(scope="module")
def analyst(server: Service) -> Iterator[httpx.Client]:
    with person(server, Role.ANALYST) as found:
        yield found


def person(server: Service, role: Role) -> httpx.Client:
    """Somebody who has logged in, as far as tokens go."""
    keys = FolderSigningKeys(server.data / "keys").read()
    session = f"ses_{secrets.token_hex(8)}"
    token = issuer().mint(keys, f"usr_{role}", scopes_of(role), 600, session, role)
    return httpx.Client(base_url=server.address, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def payment(file: str, **changes: Any) -> dict[str, Any]:
    return {**json.loads((EVENTS / file).read_text()), "transaction_id": f"acc-{next(NUMBERS)}", **changes}


def genuine(account: str) -> dict[str, Any]:
    """An ordinary payment, on a device of its own, of a caller that knows how often the account usually pays."""
    given = {"new_device_flag": 0, "device_seen_before": 1, "tx_frequency_ratio": 1.0}
    own = {"account_id": account, "device_id": f"phone-{account}", "ip_address": "2001:db8:a::1"}
    return payment("score_genuine.json", features=given, amount=10, **own)


def score(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/score", json=body)
    assert answer.status_code == 200, answer.text
    verdict: dict[str, Any] = answer.json()
    return verdict


def status(client: httpx.Client, account: str) -> dict[str, Any]:
    answer = client.get(f"/accounts/{account}/status")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def freeze(client: httpx.Client, account: str) -> dict[str, Any]:
    """A decline, and the account's state once card management has confirmed."""
    declined = score(client, payment("score_blocked.json", account_id=account))
    assert (declined["decision"], declined["is_early_exit"]) == ("DECLINE", True)
    blocked = state.eventually(
        lambda: status(client, account), lambda found: found["status"] == "blocked", "the account's state"
    )
    assert blocked["freeze"]["transaction_id"] == declined["transaction_id"]
    assert blocked["freeze"]["reasons"] == declined["reasons"]
    return blocked


def test_from_a_decline_to_a_release(client: httpx.Client, server: Service, analyst: httpx.Client) -> None:
    account = "acct-life"
    assert score(client, genuine(account))["decision"] == "APPROVE"
    assert status(client, account) == {
        "account_id": account,
        "status": "active",
        "version": 0,
        "until": None,
        "freeze": None,
        "release": None,
    }
    assert freeze(client, account)["until"] is not None
    refused = score(client, genuine(account))
    assert (refused["decision"], refused["triggered_by"]) == ("DECLINE", "DENY_LIST")
    assert [reason["code"] for reason in refused["reasons"]] == ["rule:deny_list"]
    assert score(client, genuine("acct-somebody-else"))["decision"] == "APPROVE"
    released = analyst.post(f"/accounts/{account}/release", json=REASON)
    assert released.status_code == 200, released.text
    assert (released.json()["status"], released.json()["release"]["by"]) == ("released", "usr_analyst")
    assert score(client, genuine(account))["decision"] == "APPROVE"
    assert status(client, account)["release"] is None  # a person's words are for persons
    assert status(analyst, account)["release"]["reason"] == REASON["reason"]
    folder = server.data / "card-management"

    def told() -> list[str]:
        orders = [json.loads(path.read_text()) for path in folder.glob("*.json")]
        own = [order for order in orders if order["data"]["account_id"] == account]
        return [order["type"] for order in sorted(own, key=lambda order: order["data"]["sequence"])]

    state.eventually(told, lambda kinds: kinds == ["cards.block", "cards.unblock"], "the orders for card management")
    state.drained(server.data)
    query = "SELECT effect, count(*) FROM actions a JOIN activity t JOIN decisions d ON d.id = t.id AND"
    query += " d.transaction_id = a.transaction_id AND d.client_id = a.client_id WHERE t.account = ? GROUP BY 1"
    assert dict(state.query(server.data, query, account)) == {"none": 2, "frozen": 1, "declined": 1}


def test_a_refusal_of_the_deny_list_can_be_decided_again(client: httpx.Client, server: Service) -> None:
    freeze(client, "acct-replayed")
    refused = score(client, genuine("acct-replayed"))
    assert refused["triggered_by"] == "DENY_LIST"
    recorded = "SELECT count(*) FROM audit_records WHERE id = ?"
    transaction = refused["transaction_id"]
    state.eventually(lambda: state.query(server.data, recorded, transaction)[0][0], lambda found: found == 1, "record")
    replayed = CliRunner().invoke(app, ["replay-decision", transaction, "--data-dir", str(server.data)])
    assert (replayed.exit_code, replayed.output.startswith("equal: DECLINE by DENY_LIST")) == (0, True), replayed.output


def test_orders_that_were_given_up_are_driven_again_by_command(server: Service) -> None:
    driven = CliRunner().invoke(app, ["actions", "redrive", "--data-dir", str(server.data)])
    assert (driven.exit_code, driven.output) == (0, "0 orders will be tried again\n")
    elsewhere = CliRunner().invoke(app, ["actions", "redrive", "--data-dir", str(server.data / "nowhere")])
    assert elsewhere.exit_code == 1


def test_the_declines_of_a_frozen_account_do_not_freeze_it_for_longer(client: httpx.Client, server: Service) -> None:
    before = freeze(client, "acct-again")
    for _ in range(3):
        assert score(client, payment("score_blocked.json", account_id="acct-again"))["triggered_by"] == "DENY_LIST"
    state.drained(server.data)
    assert status(client, "acct-again") == before


def test_a_client_is_told_why_of_its_own_transactions_only(
    client: httpx.Client, server: Service, analyst: httpx.Client
) -> None:
    own = freeze(client, "acct-whose")
    with server.client("other") as other:
        assert status(other, "acct-whose") == {**own, "freeze": None}
    assert status(analyst, "acct-whose") == own


def test_who_may_release(client: httpx.Client, server: Service, analyst: httpx.Client) -> None:
    freeze(client, "acct-who")
    path = "/accounts/acct-who/release"
    mighty = (*SCOPES, "accounts:release")
    with person(server, Role.VIEWER) as viewer, server.client("robot", mighty) as robot, server.client() as plain:
        for caller in (viewer, robot, plain):
            answer = caller.post(path, json=REASON)
            assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[403])
    answer = httpx.post(server.address + path, json=REASON)
    assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[401])
    with server.client("nosy", ("score:write",)) as nosy:
        answer = nosy.get("/accounts/acct-who/status")
        assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[403])
    assert status(analyst, "acct-who")["status"] == "blocked"
    with person(server, Role.LEAD) as lead:
        assert lead.post(path, json=REASON).status_code == 200


def test_what_is_not_frozen_cannot_be_released(client: httpx.Client, analyst: httpx.Client) -> None:
    freeze(client, "acct-once")
    path = "/accounts/acct-once/release"
    assert analyst.post(path, json=REASON).status_code == 200
    for other in (path, "/accounts/acct-never-seen/release"):
        answer = analyst.post(other, json=REASON)
        assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[409])


def test_of_twenty_releases_at_once_one_counts(client: httpx.Client, server: Service, analyst: httpx.Client) -> None:
    freeze(client, "acct-twenty")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: analyst.post("/accounts/acct-twenty/release", json=REASON), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19


@pytest.mark.parametrize(
    ("body", "status_", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"[]", 422, ""),
        (b"{}", 422, "reason"),
        (b'{"reason": null}', 422, "reason"),
        (b'{"reason": 12345}', 422, "reason"),
        (b'{"reason": "no"}', 422, "reason"),
        (b'{"reason": "     "}', 422, "reason"),
        (b'{"reason": "two\\nlines"}', 422, "reason"),
        (b'{"reason": "null \\u0000 byte"}', 422, "reason"),
        (b'{"reason": "hidden \\u202e text"}', 422, "reason"),
        (b'{"reason": "' + b"x" * 501 + b'"}', 422, "reason"),
        (b'{"reason": "card 4111 1111 1111 1111"}', 422, "reason"),
        (b'{"reason": "a good one", "by": "somebody else"}', 422, "by"),
        (b'{"reason": "a good one", "reason": "another"}', 400, "reason"),
        (b'{"reason": "' + b"x" * 70_000 + b'"}', 413, None),
    ],
)
def test_a_bad_release_is_refused_with_its_field_named(
    client: httpx.Client, analyst: httpx.Client, body: bytes, status_: int, field: str | None
) -> None:
    if status(client, "acct-bad")["status"] != "blocked":
        freeze(client, "acct-bad")
    answer = analyst.post("/accounts/acct-bad/release", content=body, headers=JSON)
    fields = [] if field is None else [field]
    assert not problems.faults(
        answer.status_code, answer.headers, answer.content, fields, ["4111111111111111", "somebody"], [status_]
    )
    assert status(client, "acct-bad")["status"] == "blocked"


@pytest.mark.parametrize("account", ["a%20b", "x" * 65, "4111111111111111", "%00", "a%2Fb", "ä"])
def test_an_account_that_is_no_token_is_refused(analyst: httpx.Client, account: str) -> None:
    for answer in (
        analyst.get(f"/accounts/{account}/status"),
        analyst.post(f"/accounts/{account}/release", json=REASON),
    ):
        wrong = problems.faults(
            answer.status_code, answer.headers, answer.content, secrets=["4111111111111111"], statuses=[404, 422]
        )
        assert not wrong


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_only_json_is_read(analyst: httpx.Client, content_type: str) -> None:
    answer = analyst.post("/accounts/acct-x/release", content=b"{}", headers={"Content-Type": content_type})
    assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[415])
