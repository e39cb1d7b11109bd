"""The demo's second part: what follows a verdict. A decline freezes the account, a challenge asks the customer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console
from rich.table import Table

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.identity.scopes import Role, scopes_of
from local.demo.samples import EVENTS
from local.places import Places
from local.tokens import issuer

PATIENCE_S = 30.0
CODE = re.compile(r"\b[0-9]{6}\b")

Found = TypeVar("Found")


class _Story:
    """Sends, keeps what happened as rows of a table, and what was not as it must be."""

    def __init__(self, client: httpx.Client, places: Places) -> None:
        self.client = client
        self.places = places
        self.rows: list[tuple[str, str]] = []
        self.faults: list[str] = []

    def pay(self, number: int, file: str, account: str) -> dict[str, Any]:
        """The verdict on a sample's payment, from this account."""
        body = {**json.loads((EVENTS / file).read_text()), "account_id": account, "transaction_id": f"demo-{number}"}
        verdict: dict[str, Any] = self.client.post("/score", json=body).raise_for_status().json()
        return verdict

    def tell(self, what: str, became: str, expected: str) -> None:
        """A step, and what must come of it."""
        self.rows.append((what, became))
        if became != expected:
            self.faults.append(f"{what}: {became}, expected {expected}")


def show_actions(client: httpx.Client, places: Places, console: Console) -> list[str]:
    """Plays a freeze with its release, a passed and a failed challenge; returns what was not as it must be."""
    story = _Story(client, places)
    _freeze(story)
    _challenge(story, 5, "demo-kofi", right=True)
    _challenge(story, 6, "demo-yaw", right=False)
    table = Table("what happens", "what comes of it", title="What follows a verdict")
    for row in story.rows:
        table.add_row(*row)
    console.print(table)
    return story.faults


def _freeze(story: _Story) -> None:
    account = "demo-esi"
    verdict = story.pay(1, "score_blocked.json", account)
    story.tell("a payment of demo-esi, from a device of 14 accounts", verdict["decision"], "DECLINE")
    state = _eventually(lambda: _status(story, account), lambda status: status == "blocked")
    story.tell("its account, and its cards", state, "blocked")
    verdict = story.pay(2, "score_genuine.json", account)
    story.tell(
        "its next payment, an ordinary one",
        f"{verdict['decision']} by {verdict['triggered_by']}",
        "DECLINE by DENY_LIST",
    )
    reason = {"reason": "The customer has called; verified by phone."}
    answer = story.client.post(f"/accounts/{account}/release", json=reason, headers=_analyst(story.places))
    story.tell("an analyst releases it, with a reason", f"HTTP {answer.status_code}", "HTTP 200")
    verdict = story.pay(3, "score_genuine.json", account)
    denied = verdict["triggered_by"] == "DENY_LIST"
    story.tell("its next payment is looked at again", "denied" if denied else "not denied", "not denied")
    _told(story, account)


def _challenge(story: _Story, number: int, account: str, *, right: bool) -> None:
    before = set(_codes(story, account))
    verdict = story.pay(number, "score_risky.json", account)
    story.tell(f"a payment of {account} from a new device", verdict["decision"], "CHALLENGE")
    message = _eventually(lambda: set(_codes(story, account)) - before, bool).pop()
    code = CODE.findall(message.read_text())[0]
    typed = code if right else f"{(int(code) + 1) % 1_000_000:06d}"
    body = json.loads((EVENTS / "score_risky.json").read_text())
    facts = {name: body[name] for name in ("amount", "currency", "counterparty_id")} | {"account_id": account}
    verify = f"/challenges/{verdict['challenge']['id']}/verify"
    for _ in range(1 if right else 5):
        answer = story.client.post(verify, json={**facts, "code": typed})
    outcome = answer.json()
    what = "the customer types the code from the mailbox" if right else "somebody guesses five times"
    became = f"{outcome.get('status')}, {outcome.get('decision')}"
    story.tell(what, became, "passed, APPROVE" if right else "failed, DECLINE")


def _told(story: _Story, account: str) -> None:
    expected = ["frozen", "blocked", "released"]
    told = _eventually(lambda: _feed(story, account), lambda kinds: len(kinds) >= len(expected))
    story.tell("what the client is told of it, by GET /events", ", ".join(told), ", ".join(expected))


def _feed(story: _Story, account: str) -> list[str]:
    events = story.client.get("/events?limit=200").raise_for_status().json()["events"]
    return [event["type"].partition(".")[2] for event in events if event["data"].get("account_id") == account]


def _status(story: _Story, account: str) -> str:
    return str(story.client.get(f"/accounts/{account}/status").raise_for_status().json()["status"])


def _codes(story: _Story, account: str) -> list[Path]:
    return sorted(Path(story.places.codes).glob(f"{account}.*.txt"))


def _analyst(places: Places) -> dict[str, str]:
    """A token as an analyst has who is logged in."""
    ring = FolderSigningKeys(places.keys).read()
    token = issuer().mint(ring, "usr_demo", scopes_of(Role.ANALYST), role=Role.ANALYST)
    return {"Authorization": f"Bearer {token}"}


def _eventually(look: Callable[[], Found], good: Callable[[Found], bool]) -> Found:
    """What is there once it is good, or when patience ends."""
    end = time.monotonic() + PATIENCE_S
    while not good(found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found
