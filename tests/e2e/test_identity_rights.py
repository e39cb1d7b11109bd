"""Every role and client at every route, on what is its own, another's, and not there. A route without a row fails."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.routing import Route

from assay.identity.scopes import Role
from tests.harness import problems
from tests.harness.identity import Town, bearer, run
from tests.harness.service import EVENTS

VIEWER, ANALYST, LEAD, ADMIN = (role.value for role in Role)
SHOP, FEEDER, NOBODY = "shop", "feeder", "nobody"
"""A service client with every scope, one that may only send events, and whoever has no token."""
PERSONS = {VIEWER, ANALYST, LEAD, ADMIN}
CALLERS = [*PERSONS, SHOP, FEEDER, NOBODY]
EVERYBODY = {*CALLERS}
OWN, OTHER, ABSENT = "own", "other", "absent"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Row:
    """Who may, and what the answer is then; whoever may not gets 401 without a token and else 403, whatever it asks.

    `found`: the statuses by whose object it is, for routes that name one; `persons` where persons get others.
    """

    may: set[str]
    found: Mapping[str, int] | int
    persons: Mapping[str, int] | None = None
    media_type: str = "application/json"
    body: object = field(default_factory=dict)

    def expected(self, caller: str, whose: str) -> int:
        """The status."""
        if caller not in self.may:
            return 401 if caller == NOBODY else 403
        if isinstance(self.found, int):
            return self.found
        return (self.persons if self.persons is not None and caller in PERSONS else self.found)[whose]

    @property
    def objects(self) -> list[str]:
        """Whose objects are asked for."""
        return [""] if isinstance(self.found, int) else [*self.found]


THERE = {OWN: 200, OTHER: 200, ABSENT: 404}
TABLE = {
    ("POST", "/score"): Row({SHOP}, 422),
    ("GET", "/decisions/{transaction_id}"): Row(
        {*PERSONS, SHOP}, {OWN: 200, OTHER: 404, ABSENT: 404}, persons={OWN: 200, OTHER: 200, ABSENT: 404}
    ),
    ("GET", "/geoip/{ip}"): Row({*PERSONS, SHOP}, {ABSENT: 422}),
    ("POST", "/events/logins"): Row({SHOP, FEEDER}, 422),
    ("GET", "/alerts"): Row({*PERSONS, SHOP}, 200),
    ("GET", "/audit/head"): Row({LEAD, ADMIN, SHOP}, 200),
    ("GET", "/audit/records/{transaction_id}"): Row({LEAD, ADMIN, SHOP}, {ABSENT: 404}),
    ("GET", "/accounts/{account_id}/status"): Row({*PERSONS, SHOP}, {ABSENT: 200}),
    ("POST", "/accounts/{account_id}/release"): Row({ANALYST, LEAD, ADMIN}, {ABSENT: 422}),
    ("PUT", "/accounts/{account_id}/contact"): Row({SHOP}, {ABSENT: 422}),
    ("DELETE", "/accounts/{account_id}/contact"): Row({SHOP}, {ABSENT: 404}),
    ("POST", "/accounts/{account_id}/totp"): Row({SHOP}, {OWN: 201}),
    ("POST", "/accounts/{account_id}/totp/confirm"): Row({SHOP}, {ABSENT: 422}),
    ("DELETE", "/accounts/{account_id}/totp"): Row({SHOP}, {ABSENT: 404}),
    ("GET", "/challenges/{challenge_id}"): Row({*PERSONS, SHOP}, {ABSENT: 404}),
    ("POST", "/challenges/{challenge_id}/verify"): Row({SHOP}, {ABSENT: 422}),
    ("POST", "/challenges/{challenge_id}/resend"): Row({SHOP}, {ABSENT: 404}),
    ("GET", "/events"): Row({*PERSONS, SHOP}, {"": 200}, persons={"": 422}),
    ("GET", "/webhooks"): Row({SHOP}, 200),
    ("POST", "/webhooks"): Row({SHOP}, 422),
    ("DELETE", "/webhooks/{webhook_id}"): Row({SHOP}, {ABSENT: 404}),
    ("POST", "/webhooks/{webhook_id}/secret"): Row({SHOP}, {ABSENT: 404}),
    ("POST", "/feedback"): Row({ANALYST, LEAD, ADMIN, SHOP}, 422),
    ("GET", "/feedback"): Row({ANALYST, LEAD, ADMIN, SHOP}, 200),
    ("POST", "/feedback/import"): Row({ANALYST, LEAD, ADMIN, SHOP}, 422, media_type="text/csv"),
    ("GET", "/feedback/{transaction_id}"): Row(
        {ANALYST, LEAD, ADMIN, SHOP}, {OWN: 200, OTHER: 404, ABSENT: 404}, persons=THERE
    ),
    ("GET", "/intelligence/drift"): Row(PERSONS, 404),
    ("GET", "/intelligence/patterns"): Row(PERSONS, 404),
    ("GET", "/intelligence/rules"): Row(PERSONS, 200),
    ("GET", "/health"): Row(EVERYBODY, 200),
    ("GET", "/ready"): Row(EVERYBODY, 200),
    ("GET", "/docs"): Row(EVERYBODY, 200),
    ("GET", "/openapi.json"): Row(EVERYBODY, 200),
    ("GET", "/.well-known/jwks.json"): Row(EVERYBODY, 200),
    ("POST", "/users"): Row(EVERYBODY, 422),
    ("POST", "/auth/login"): Row(EVERYBODY, 422),
    ("POST", "/auth/refresh"): Row(EVERYBODY, 422),
    ("POST", "/oauth/token"): Row(EVERYBODY, 400, media_type=FORM),
    ("POST", "/auth/logout"): Row(PERSONS, 204),
    ("GET", "/users/me"): Row(PERSONS, 200),
    ("POST", "/users/me/password"): Row(PERSONS, 422),
    ("GET", "/users"): Row({ADMIN}, 200),
    ("GET", "/users/{id}"): Row({ADMIN}, THERE),
    ("PATCH", "/users/{id}"): Row({ADMIN}, THERE),
    ("POST", "/clients"): Row({ADMIN}, 422),
    ("GET", "/clients"): Row({ADMIN}, 200),
    ("PATCH", "/clients/{id}"): Row({ADMIN}, {OTHER: 200, ABSENT: 404}),
    ("POST", "/clients/{id}/secret"): Row({ADMIN}, {OTHER: 200, ABSENT: 404}),
}


def routes(town: Town) -> set[tuple[str, str]]:
    """Of the whole public API."""
    found = [route for route in town.embedded.app.routes if isinstance(route, Route)]
    assert len(found) == len(town.embedded.app.routes)
    return {(method, route.path) for route in found for method in route.methods or () if method != "HEAD"}


def test_every_route_has_a_row(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        assert routes(town) <= TABLE.keys()

    run(tmp_path, scenario)


def test_everybody_at_everything(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        world = await _world(town)
        asked = 0
        for method, path in sorted(routes(town)):
            row = TABLE[method, path]
            for caller in CALLERS:
                for whose in row.objects:
                    place = world.place(path, caller, whose)
                    content = b"" if row.media_type == FORM else json.dumps(row.body).encode()
                    headers = {**world.headers(caller), "Content-Type": row.media_type}
                    answer = await town.call(method, place, headers=headers, content=content)
                    expected, asked = row.expected(caller, whose), asked + 1
                    assert answer.status_code == expected, (method, place, caller, whose, answer.text)
                    if expected in {401, 403, 404}:
                        wrong = problems.faults(answer.status_code, answer.headers, answer.content)
                        assert not wrong, (method, place, caller, whose, wrong)
        assert asked >= 200

    run(tmp_path, scenario)


@dataclass(slots=True)
class World:
    """Callers, and things that are theirs."""

    town: Town
    ids: dict[str, str]
    tokens: dict[str, str]

    def headers(self, caller: str) -> dict[str, str]:
        """With a token: of the service client, or of a session of its own, which this call may end."""
        if caller == NOBODY:
            return {}
        if caller in self.tokens:
            return bearer(self.tokens[caller])
        return self.town.token(self.ids[caller], Role(caller), f"ses_{secrets.token_hex(8)}")

    def place(self, path: str, caller: str, whose: str) -> str:
        """The path with the id in it."""
        if path.startswith("/users/"):
            id_ = {OWN: self.ids.get(caller, "usr_0"), OTHER: self.ids["another"], ABSENT: "usr_absent", "": ""}[whose]
        elif path.startswith("/clients/"):
            id_ = {OTHER: "spare", ABSENT: "absent", "": ""}[whose]
        else:
            id_ = {OWN: f"of-{SHOP}", OTHER: f"of-{FEEDER}", ABSENT: "absent", "": ""}[whose]
        place = re.sub(r"\{\w+\}", id_, path)
        named = "{transaction_id}" in path and caller in PERSONS
        return f"{place}?client_id={FEEDER if whose == OTHER else SHOP}" if named else place


async def _world(town: Town) -> World:
    ids = {role.value: (await town.person(role)).id for role in Role}
    ids["another"] = (await town.person()).id
    tokens: dict[str, str] = {}
    for client in (SHOP, FEEDER):
        secret = await town.service_client(client)
        tokens[client] = (await town.client_token(client, secret)).json()["access_token"]
        payment = json.loads((EVENTS / "score_genuine.json").read_text()) | {"transaction_id": f"of-{client}"}
        scored = await town.call("POST", "/score", headers=bearer(tokens[client]), json=payment)
        assert scored.status_code == 200, scored.text
        label = {"transaction_id": f"of-{client}", "label": "legitimate"}
        labelled = await town.call("POST", "/feedback", headers=bearer(tokens[client]), json=label)
        assert labelled.status_code == 200, labelled.text
    fewer = {"scopes": ["events:write"]}
    assert (await town.call("PATCH", f"/clients/{FEEDER}", headers=town.admin.bearer, json=fewer)).status_code == 200
    tokens[FEEDER] = (await town.client_token(FEEDER, secret)).json()["access_token"]
    await town.service_client("spare")
    return World(town, ids, tokens)
