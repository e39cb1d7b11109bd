"""What is tried against logins and tokens, row by row: nothing gets in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections import Counter
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.features.windows import SECOND
from assay.identity.scopes import Role, scopes_of
from assay.moments import now
from functions.users.sessions import LIFE_S
from functions.users.throttle import ACCOUNT, ADDRESS, PAIR
from tests.harness import problems
from tests.harness.identity import ADMIN, HOME, PASSWORD, Person, Town, bearer, run

WRONG = "wrong horse battery"
PARALLEL = 20


def b64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class Forger:
    """Has a good token, the public keys and a key of its own; not ours."""

    def __init__(self, good: str, jwk: dict[str, str]) -> None:
        self.good = good
        self.jwk = jwk
        self.header = jwt.get_unverified_header(good)
        self.claims = jwt.decode(good, options={"verify_signature": False})
        self.own = Ed25519PrivateKey.generate()

    def signed(self, header: dict[str, Any], claims: dict[str, Any] | None = None) -> str:
        """With its own key."""
        text = f"{b64(json.dumps(self.header | header).encode())}.{b64(json.dumps(claims or self.claims).encode())}"
        return f"{text}.{b64(self.own.sign(text.encode()))}"

    def keyed(self, algorithm: str, secret: bytes) -> str:
        """An HMAC, with something that everybody knows for its key."""
        header = json.dumps(self.header | {"alg": algorithm}).encode()
        text = f"{b64(header)}.{b64(json.dumps(self.claims).encode())}"
        return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    def forgeries(self) -> dict[str, str]:
        """By name."""
        head, claims, signature = self.good.split(".")
        own_jwk = OKPAlgorithm.to_jwk(self.own.public_key(), as_dict=True) | {"kid": "mine"}
        escalated = b64(json.dumps(self.claims | {"scope": " ".join(scopes_of(Role.ADMIN)), "role": "admin"}).encode())
        none = [b64(json.dumps(self.header | {"alg": name}).encode()) for name in ("none", "None", "NONE", "")]
        public = base64.urlsafe_b64decode(self.jwk["x"] + "=")
        public_pem = jwt.PyJWK(self.jwk).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {
            **{f"alg none {n}": f"{header}.{claims}." for n, header in enumerate(none)},
            **{f"alg none {n} with a signature": f"{header}.{claims}.{signature}" for n, header in enumerate(none)},
            "stripped signature": f"{head}.{claims}.",
            "no signature": f"{head}.{claims}",
            "signature of other claims": f"{head}.{escalated}.{signature}",
            "HS256 with the public key": self.keyed("HS256", public),
            "HS256 with its PEM": self.keyed("HS256", public_pem),
            "HS256 with its JWK": self.keyed("HS256", json.dumps(self.jwk).encode()),
            "HS256 with nothing": self.keyed("HS256", b""),
            "own key under our kid": self.signed({}),
            "own key in the header": self.signed({"jwk": own_jwk, "kid": "mine"}),
            "jku": self.signed({"jku": "http://127.0.0.1:9/jwks.json", "kid": "mine"}),
            "x5u": self.signed({"x5u": "http://127.0.0.1:9/cert.pem", "kid": "mine"}),
            "crit": self.signed({"crit": ["exp"]}),
            "kid path": self.signed({"kid": "../../../../dev/null"}),
            "kid absolute": self.signed({"kid": "/proc/self/environ"}),
            "kid SQL": self.signed({"kid": "x' UNION SELECT 'AA"}),
            "kid null": self.signed({"kid": None}),
            "kid list": self.signed({"kid": [self.header["kid"]]}),
            "nested": b64(b"[" * 3_000),
            "five parts": f"{self.good}.a.b",
            "5 MB": "a" * 5_000_000,
            "5 MB of a token": f"{head}.{'A' * 5_000_000}.{signature}",
        }


def ours(town: Town, claims: dict[str, Any], header: dict[str, Any]) -> str:
    """Signed with the right key: what a leak of another use of it, or a bug of ours, would give."""
    key = FolderSigningKeys(town.places.keys).read().keys[0]
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.jwk()["kid"], **header})


async def assert_refused(town: Town, named: dict[str, str]) -> None:
    for name, token in named.items():
        for method, path in (("GET", "/users"), ("POST", "/score"), ("GET", "/users/me")):
            answer = await town.call(method, path, headers=bearer(token), json={})
            wrong = problems.faults(answer.status_code, answer.headers, answer.content, statuses=[401])
            assert not wrong, (name, path, wrong)


def test_forged_tokens(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        jwk = (await town.call("GET", "/.well-known/jwks.json")).json()["keys"][0]
        await assert_refused(town, Forger(town.admin.tokens["access_token"], jwk).forgeries())
        assert await town.me(town.admin.bearer) == 200

    run(tmp_path, scenario)


def test_wrong_and_missing_claims_under_the_right_key(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        good = jwt.decode(town.admin.tokens["access_token"], options={"verify_signature": False})
        typ = {"typ": "at+jwt"}
        assert await town.me(bearer(ours(town, good, typ))) == 200
        without = {
            f"no {name}": {k: v for k, v in good.items() if k != name} for name in good if name not in "sid role"
        }
        changed = {
            f"{name} {value}": good | {name: value}
            for name, value in (
                ("aud", "another"),
                ("aud", ["assay", "another"]),
                ("iss", "another"),
                ("exp", 1),
                ("exp", "never"),
                ("nbf", 4_000_000_000),
                ("sub", ""),
                ("sub", 7),
                ("sub", "x" * 65),
                ("sid", ""),
                ("sid", 7),
                ("role", ["admin"]),
            )
        }
        await assert_refused(town, {name: ours(town, claims, typ) for name, claims in (without | changed).items()})
        headers: list[dict[str, Any]] = [{"typ": "JWT"}, {"typ": "refresh+jwt"}, {"typ": None}, {**typ, "crit": []}]
        await assert_refused(town, {str(header): ours(town, good, header) for header in headers})

    run(tmp_path, scenario)


def test_other_secrets_are_no_access_tokens(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person, secret = await town.person(), await town.service_client("shop")
        await assert_refused(
            town, {"refresh": person.refresh_token, "secret": secret, "password": PASSWORD, "sid": person.id}
        )
        access = person.tokens["access_token"]
        for token in (access, secret, f"{person.refresh_token[:28]}.{'A' * 43}{'A' * 100}"):
            assert (await town.refresh(token)).status_code in {401, 422}
        assert (await town.client_token("shop", access)).status_code == 401
        assert (await town.client_token(person.id, PASSWORD)).status_code == 401

    run(tmp_path, scenario)


def test_a_used_refresh_token_ends_its_session_for_everybody(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        elsewhere = await town.logged_in(person.email)
        stolen = person.refresh_token
        person.tokens = (await town.refresh(stolen)).json()
        assert await town.me(person.bearer) == 200
        for token in (stolen, stolen, person.refresh_token):
            answer = await town.refresh(token)
            assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[401])
        assert await town.me(person.bearer) == 401
        assert town.kinds().count("session.reuse_detected") == 1
        assert await town.me(elsewhere.bearer) == 200
        assert (await town.refresh(elsewhere.refresh_token)).status_code == 200

    run(tmp_path, scenario)


def test_of_many_that_refresh_at_once_one_wins_at_most(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        answers = await asyncio.gather(*(town.refresh(person.refresh_token) for _ in range(PARALLEL)))
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses[401] >= PARALLEL - 1
        assert sum(statuses.values()) == statuses[200] + statuses[401]
        for answer in answers:
            if answer.status_code == 200:
                assert await town.me(bearer(answer.json()["access_token"])) == 401
                assert (await town.refresh(answer.json()["refresh_token"])).status_code == 401
        assert await town.me(person.bearer) == 401
        assert town.kinds().count("session.reuse_detected") == 1

    run(tmp_path, scenario)


def test_a_session_ends_when_idle_and_after_its_longest_life(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        commits = town.embedded.ledger.commits
        idle, old = await town.person(), await town.person()
        await commits.commit([("UPDATE sessions SET expires_at = ? WHERE user_id = ?", (now(), idle.id))])
        assert (await town.refresh(idle.refresh_token)).status_code == 401
        began = now() - (LIFE_S - 60) * SECOND
        await commits.commit([("UPDATE sessions SET created_at = ? WHERE user_id = ?", (began, old.id))])
        answer = await town.refresh(old.refresh_token)
        assert answer.status_code == 200
        assert answer.json()["refresh_expires_in"] <= 60

    run(tmp_path, scenario)


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"status": "disabled"}, {"role": "admin"}])
def test_tokens_from_before_a_change_are_void(tmp_path: Path, change: dict[str, str]) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person(Role.LEAD)
        assert (await town.call("GET", "/users", headers=person.bearer)).status_code == 403
        assert (await town.change(person.id, **change)).status_code == 200
        assert await town.me(person.bearer) == 401
        assert (await town.refresh(person.refresh_token)).status_code == 401
        again = await town.login(person.email)
        if "status" in change:
            assert again.status_code == 403
        else:
            assert again.json()["scope"].split() == [*scopes_of(Role(change["role"]))]

    run(tmp_path, scenario)


def test_a_login_beside_a_change_has_no_tokens_that_stay(tmp_path: Path) -> None:
    """Whatever the order: what a login gives is void, or it does not succeed."""

    async def scenario(town: Town) -> None:
        for number in range(8):
            person = await town.person(Role.LEAD)
            logins = [town.login(person.email, address=f"192.0.2.{number * 4 + n}") for n in range(4)]
            disabling = asyncio.create_task(_after(number, town.change(person.id, status="disabled")))
            answers = await asyncio.gather(*logins)
            assert (await disabling).status_code == 200
            for answer in answers:
                assert answer.status_code in {200, 403, 409}
                if answer.status_code == 200:
                    assert await town.me(bearer(answer.json()["access_token"])) == 401
                    assert (await town.refresh(answer.json()["refresh_token"])).status_code == 401

    run(tmp_path, scenario)


async def _after(turns: int, work: Any) -> Any:
    for _ in range(turns * 10):
        await asyncio.sleep(0)
    return await work


def test_what_was_ended_stays_so_after_a_restart(tmp_path: Path) -> None:
    ended: list[Person] = []

    async def before(town: Town) -> None:
        person = await town.person()
        await town.call("POST", "/auth/logout", headers=person.bearer)
        ended.append(person)

    async def after(town: Town) -> None:
        assert await town.me(ended[0].bearer) == 401
        assert (await town.refresh(ended[0].refresh_token)).status_code == 401

    run(tmp_path, before)
    run(tmp_path, after, ADMIN.replace("root", "second"))


def test_guessing_from_one_address(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        for email in (person.email, "nobody@bank.example"):
            answers = [await town.login(email, WRONG, "192.0.2.1") for _ in range(PAIR.most + 3)]
            assert [answer.status_code for answer in answers] == [401] * PAIR.most + [429] * 3
            assert 1 <= int(answers[-1].headers["retry-after"]) <= PAIR.window_s
            assert not problems.faults(429, answers[-1].headers, answers[-1].content, statuses=[429])
        # The right password does not help there, a header does not make it another address, and a network is one.
        assert (await town.login(person.email, address="192.0.2.1")).status_code == 429
        body = {"email": person.email, "password": PASSWORD}
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP"):
            headers = {header: "for=192.0.2.99"}
            answer = await town.call("POST", "/auth/login", "192.0.2.1", headers=headers, json=body)
            assert answer.status_code == 429
        neighbours = [f"2001:db8:1:1::{n}" for n in range(PAIR.most + 1)]
        statuses = [(await town.login("nobody@x.example", WRONG, neighbour)).status_code for neighbour in neighbours]
        assert statuses == [401] * PAIR.most + [429]
        assert (await town.login("nobody@x.example", WRONG, "2001:db8:1:2::1")).status_code == 401
        assert (await town.login(person.email)).status_code == 200

    run(tmp_path, scenario)


def test_many_accounts_from_one_address(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        answers = [await town.login(f"user-{n}@bank.example", WRONG, "192.0.2.1") for n in range(ADDRESS.most + 5)]
        assert [answer.status_code for answer in answers] == [401] * ADDRESS.most + [429] * 5

    run(tmp_path, scenario)


def test_guessing_from_many_addresses_does_not_lock_the_owner_out(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        for email in (person.email, "nobody@bank.example"):
            answers = [await town.login(email, WRONG, f"192.0.2.{n}") for n in range(100)]
            assert Counter(answer.status_code for answer in answers) == {401: ACCOUNT.most, 429: 100 - ACCOUNT.most}
        assert (await town.login(person.email, address="192.0.2.200")).status_code == 429
        for _ in range(3):
            assert (await town.login(person.email, address=HOME)).status_code == 200
        assert (await town.login(person.email, WRONG, HOME)).status_code == 401

    run(tmp_path, scenario)


def test_guesses_at_once_are_counted_before_they_are_looked_at(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        guesses = [town.login(person.email, WRONG, "192.0.2.1") for _ in range(PARALLEL)]
        answers = await asyncio.gather(*guesses)
        assert Counter(answer.status_code for answer in answers) == {401: PAIR.most, 429: PARALLEL - PAIR.most}

    run(tmp_path, scenario)


def test_a_new_password_cannot_be_had_by_guessing_the_old(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        body = {"current_password": WRONG, "new_password": "a new password it is"}
        statuses = [
            (await town.call("POST", "/users/me/password", "192.0.2.1", headers=person.bearer, json=body)).status_code
            for _ in range(PAIR.most + 1)
        ]
        assert statuses == [401] * PAIR.most + [429]
        assert (await town.login(person.email, address="192.0.2.1")).status_code == 429

    run(tmp_path, scenario)


def test_logins_do_not_tell_who_has_an_account(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        active, pending = await town.person(), "pending@bank.example"
        await town.register(pending)
        answers = [await town.login(email, WRONG) for email in (active.email, pending, "nobody@bank.example")]
        assert [answer.status_code for answer in answers] == [401] * 3
        assert len({(answer.content, str(answer.headers)) for answer in answers}) == 1

    run(tmp_path, scenario)


def test_registrations_do_not_tell_who_has_an_account(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        before = await town.users()
        known = await town.call("POST", "/users", json={"email": ADMIN, "password": "x" + WRONG, "name": "Thief"})
        new = await town.register("new@bank.example")
        assert (known.status_code, known.content, known.headers) == (202, new.content, new.headers)
        after = await town.users()
        assert [user for user in after if user["email"] != "new@bank.example"] == before
        assert (await town.login(ADMIN)).status_code == 200
        assert (await town.login(ADMIN, "x" + WRONG)).status_code == 401

    run(tmp_path, scenario)


def test_registering_twice_at_once_makes_one_user(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        spellings = ("Twin@bank.example", "twin@BANK.example")
        answers = await asyncio.gather(*(town.register(spellings[n % 2]) for n in range(PARALLEL)))
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
        assert [user["email"] for user in await town.users()].count("twin@bank.example") == 1
        assert town.kinds().count("user.registered") == 2

    run(tmp_path, scenario)


def test_registrations_from_one_address_are_limited(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        answers = [await town.register(f"u{n}@bank.example", "192.0.2.1") for n in range(22)]
        assert [answer.status_code for answer in answers] == [202] * 20 + [429] * 2
        assert len(await town.users()) == 21

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    "more",
    [
        {"role": "admin"},
        {"status": "active"},
        {"id": "usr_1"},
        {"scopes": ["identity:admin"]},
        {"version": 9},
        {"password_hash": "x"},
        {"is_admin": True},
        {"__class__": "x"},
        {"email": ["a@bank.example"]},
        {"email": "a@bank.example\r\nBcc: b@bank.example"},
        {"email": "a@bank"},
        {"email": f"{'a' * 250}@bank.example"},
        {"name": "a\x00b"},
        {"name": "a\u202eb"},
        {"name": ""},
        {"name": "x" * 101},
        {"password": "short"},
        {"password": "x" * 129},
        {"password": "a" * 40},
        {"password": "mass@bank.example"},
        {"password": None},
        {"password": {"$ne": ""}},
    ],
    ids=str,
)
def test_what_a_registration_cannot_say(tmp_path: Path, more: dict[str, object]) -> None:
    async def scenario(town: Town) -> None:
        body = {"email": "mass@bank.example", "password": PASSWORD, "name": "Mass"} | more
        answer = await town.call("POST", "/users", json=body)
        assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[422])
        assert len(await town.users()) == 1

    run(tmp_path, scenario)


def test_what_a_change_cannot_say(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        await town.service_client("shop", "score:write")
        before = (await town.users(), (await town.call("GET", "/clients", headers=town.admin.bearer)).json())
        bodies: dict[str, list[dict[str, object]]] = {
            f"/users/{person.id}": [
                {"email": "x@bank.example"},
                {"password_hash": "x"},
                {"version": 1},
                {"id": "usr_0"},
                {"role": "root"},
                {"role": 0},
                {"status": "pending"},
                {"scopes": ["identity:admin"]},
            ],
            "/clients/shop": [
                {"client_id": "x"},
                {"secret_hash": "x"},
                {"session": "x"},
                {"scopes": ["identity:admin"]},
            ],
        }
        for path, refused in bodies.items():
            for body in refused:
                answer = await town.call("PATCH", path, headers=town.admin.bearer, json=body)
                assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[422]), body
        assert before == (await town.users(), (await town.call("GET", "/clients", headers=town.admin.bearer)).json())

    run(tmp_path, scenario)


def test_the_last_admin_stays(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        for change in ({"role": "lead"}, {"status": "disabled"}, {"role": "viewer", "status": "disabled"}):
            answer = await town.change(town.admin.id, **change)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:assay:problem:last_admin")
        assert await town.me(town.admin.bearer) == 200
        other = await town.person(Role.ADMIN)
        answers = await asyncio.gather(
            town.change(other.id, town.admin, role="viewer"), town.change(town.admin.id, other, status="disabled")
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        left = town.embedded.ledger.reader.execute(
            "SELECT count(*) FROM users WHERE role = 'admin' AND status = 'active'"
        ).fetchone()
        assert left == (1,)

    run(tmp_path, scenario)


def test_changes_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        roles = ("analyst", "lead") * 5
        answers = await asyncio.gather(*(town.change(person.id, role=role) for role in roles))
        done = [answer for answer in answers if answer.status_code == 200]
        assert done
        assert {answer.status_code for answer in answers} <= {200, 409}
        (kept,) = [user for user in await town.users() if user["id"] == person.id]
        changes = [event["data"] for event in town.events() if event["data"].get("user") == person.id]
        changes = [data for data in changes if "role_before" in data][1:]
        assert [data["role_before"] for data in changes] == ["viewer", *(data["role"] for data in changes[:-1])]
        assert changes[-1]["role"] == kept["role"]

    run(tmp_path, scenario)
