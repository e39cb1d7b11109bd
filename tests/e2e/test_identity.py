"""Persons and service clients as they should be: registered, let in, refreshed, changed, sent away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import jwt
import pytest
from argon2 import PasswordHasher

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.identity.scopes import CLIENT_SCOPES, Role, scopes_of
from functions.users.passwords import HASHER
from tests.harness import problems
from tests.harness.identity import ADMIN, PASSWORD, Town, bearer, run

NEW_PASSWORD = "another horse, other battery"


def test_registered_activated_logged_in(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        registered = await town.register("Ana@Bank.Example")
        assert (registered.status_code, registered.json()["status"]) == (202, "pending")
        assert (await town.login("ana@bank.example")).status_code == 403
        (ana,) = [user for user in await town.users() if user["email"] == "ana@bank.example"]
        assert (ana["role"], ana["status"], "password_hash" in ana) == ("viewer", "pending", False)
        changed = await town.change(ana["id"], role="analyst", status="active")
        assert changed.json() == {**ana, "role": "analyst", "status": "active", "scopes": [*scopes_of(Role.ANALYST)]}

        answer = await town.login("ANA@bank.example")
        assert answer.headers["cache-control"] == "no-store"
        given = answer.json()
        assert (given["token_type"], given["expires_in"]) == ("Bearer", 300)
        assert given["scope"].split() == [*scopes_of(Role.ANALYST)]
        claims = jwt.decode(given["access_token"], options={"verify_signature": False})
        assert (claims["sub"], claims["role"]) == (ana["id"], "analyst")
        assert given["refresh_token"].partition(".")[0] == claims["sid"]
        me = await town.call("GET", "/users/me", headers=bearer(given["access_token"]))
        assert me.json() == changed.json()
        assert town.kinds()[-3:] == ["user.registered", "user.role_changed", "user.logged_in"]
        assert "bank.example" not in str(town.events())

    run(tmp_path, scenario)


def test_a_person_reads_decisions_of_the_client_it_names(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        viewer = await town.person()
        path = "/decisions/some-id"
        assert (await town.call("GET", path, headers=viewer.bearer)).status_code == 422
        assert (await town.call("GET", f"{path}?client_id=shop", headers=viewer.bearer)).status_code == 404

    run(tmp_path, scenario)


def test_refresh_tokens_rotate_and_know_the_role_of_now(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        seen = {person.refresh_token}
        for _ in range(5):
            answer = await town.refresh(person.refresh_token)
            assert answer.status_code == 200
            person.tokens = answer.json()
            assert await town.me(person.bearer) == 200
            seen.add(person.refresh_token)
        assert len(seen) == 6
        assert 3_590 <= person.tokens["refresh_expires_in"] <= 3_600

    run(tmp_path, scenario)


def test_logout_ends_this_session_and_no_other(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        here = await town.person()
        there = await town.logged_in(here.email)
        answer = await town.call("POST", "/auth/logout", headers=here.bearer)
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await town.me(here.bearer), await town.me(there.bearer)) == (401, 200)
        assert (await town.refresh(here.refresh_token)).status_code == 401
        assert (await town.refresh(there.refresh_token)).status_code == 200

    run(tmp_path, scenario)


def test_a_new_password_ends_all_sessions(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        other = await town.logged_in(person.email)

        async def change(current: str, new: str) -> httpx.Response:
            body = {"current_password": current, "new_password": new}
            return await town.call("POST", "/users/me/password", headers=person.bearer, json=body)

        assert (await change("wrong horse battery", NEW_PASSWORD)).status_code == 401
        for bad in (PASSWORD, "short", person.email, "ab" * 10):
            answer = await change(PASSWORD, bad)
            wrong = problems.faults(
                answer.status_code, answer.headers, answer.content, ["new_password"], [bad], statuses=[422]
            )
            assert not wrong, wrong
        assert await town.me(person.bearer) == 200
        assert (await change(PASSWORD, NEW_PASSWORD)).status_code == 204
        for ended in (person, other):
            assert await town.me(ended.bearer) == 401
            assert (await town.refresh(ended.refresh_token)).status_code == 401
        assert (await town.login(person.email)).status_code == 401
        assert (await town.login(person.email, NEW_PASSWORD)).status_code == 200

    run(tmp_path, scenario)


def test_a_password_hashed_with_older_parameters_is_hashed_again(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        person = await town.person()
        old = PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1).hash(PASSWORD)
        update = "UPDATE users SET password_hash = ? WHERE id = ?"
        await town.embedded.ledger.commits.commit([(update, (old, person.id))])
        for _ in range(2):
            assert (await town.login(person.email)).status_code == 200
        query = "SELECT password_hash FROM users WHERE id = ?"
        (kept,) = town.embedded.ledger.reader.execute(query, (person.id,)).fetchone()
        assert not HASHER.check_needs_rehash(kept)
        assert town.kinds().count("user.password_rehashed") == 1
        assert await town.me(person.bearer) == 200

    run(tmp_path, scenario)


def test_a_password_is_the_same_however_it_is_spelled(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        composed, decomposed = "caf\u00e9 au lait \u00e5", "cafe\u0301 au lait a\u030a"
        body = {"email": "z@bank.example", "password": composed, "name": "Zo\u00eb"}
        assert (await town.call("POST", "/users", json=body)).status_code == 202
        assert (await town.login("z@bank.example", decomposed)).status_code == 403

    run(tmp_path, scenario)


def test_pages_of_users_and_clients_hold_each_once(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        for number in range(7):
            await town.register(f"p{number}@bank.example")
            await town.service_client(f"client-{number}", "score:write")
        for path, name, key, total in (("/users", "users", "id", 8), ("/clients", "clients", "client_id", 7)):
            found: list[str] = []
            after: str | None = ""
            while after is not None:
                query = f"{path}?limit=3" + (f"&after={after}" if after else "")
                page = (await town.call("GET", query, headers=town.admin.bearer)).json()
                found, after = found + [each[key] for each in page[name]], page["next"]
            assert (len(found), found) == (total, sorted(set(found)))
            for bad in ("limit=0", "limit=101", "limit=x", "limit=-1", "limit=٣", "after=%00", f"after={'a' * 65}"):
                answer = await town.call("GET", f"{path}?{bad}", headers=town.admin.bearer)
                assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[422]), bad

    run(tmp_path, scenario)


def test_a_service_client_scores_with_a_token_of_its_own(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        secret = await town.service_client("shop", "score:write", "decisions:read")
        answer = await town.client_token("shop", secret)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        given = answer.json()
        assert given == {
            "access_token": given["access_token"],
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "score:write decisions:read",
        }
        claims = jwt.decode(given["access_token"], options={"verify_signature": False})
        assert (claims["sub"], "role" in claims) == ("shop", False)
        headers = bearer(given["access_token"])
        assert (await town.call("POST", "/score", headers=headers, json={})).status_code == 422
        assert (await town.call("GET", "/decisions/none", headers=headers)).status_code == 404
        fewer = (await town.client_token("shop", secret, scope="decisions:read")).json()
        assert fewer["scope"] == "decisions:read"
        headers = bearer(fewer["access_token"])
        assert (await town.call("POST", "/score", headers=headers, json={})).status_code == 403

    run(tmp_path, scenario)


@pytest.mark.parametrize("change", ["scopes", "status", "secret"])
def test_what_changes_a_client_voids_its_tokens(tmp_path: Path, change: str) -> None:
    async def scenario(town: Town) -> None:
        secret = await town.service_client("shop")
        others = await town.service_client("other")
        token, others_token = [
            bearer((await town.client_token(*who)).json()["access_token"])
            for who in (("shop", secret), ("other", others))
        ]
        if change == "secret":
            answer = await town.call("POST", "/clients/shop/secret", headers=town.admin.bearer)
            new = answer.json()["client_secret"]
            assert new != secret
            assert (await town.client_token("shop", secret)).status_code == 401
            assert (await town.client_token("shop", new)).status_code == 200
        else:
            body = {"scopes": ["alerts:read"]} if change == "scopes" else {"status": "disabled"}
            answer = await town.call("PATCH", "/clients/shop", headers=town.admin.bearer, json=body)
            again = await town.client_token("shop", secret)
            assert (again.status_code, again.json().get("scope")) == (
                (200, "alerts:read") if change == "scopes" else (401, None)
            )
        assert answer.status_code == 200
        assert (await town.call("POST", "/score", headers=token, json={})).status_code == 401
        assert (await town.call("POST", "/score", headers=others_token, json={})).status_code == 422

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("client_id", "scopes", "status"),
    [
        ("shop-2", [*CLIENT_SCOPES, "score:write"], 201),
        ("shop", ["score:write"], 409),
        ("system", ["score:write"], 422),
        ("usr_0", ["score:write"], 422),
        ("a b", ["score:write"], 422),
        ("", ["score:write"], 422),
        ("x", [], 422),
        ("x", ["identity:admin"], 422),
        ("x", ["score:write "], 422),
        ("x", "score:write", 422),
    ],
)
def test_which_clients_can_be_added(tmp_path: Path, client_id: str, scopes: object, status: int) -> None:
    async def scenario(town: Town) -> None:
        await town.service_client("shop", "score:write")
        body = {"client_id": client_id, "scopes": scopes}
        answer = await town.call("POST", "/clients", headers=town.admin.bearer, json=body)
        assert answer.status_code == status, answer.text
        if status == 201:
            assert answer.json()["scopes"] == list(CLIENT_SCOPES)

    run(tmp_path, scenario)


def test_a_rotation_is_effective_at_once_and_older_tokens_stay_good(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        before = await town.person()
        old = (await town.call("GET", "/.well-known/jwks.json")).json()["keys"]
        FolderSigningKeys(town.places.keys).rotate()
        answer = await town.call("GET", "/.well-known/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=60"
        kids = [key["kid"] for key in answer.json()["keys"]]
        assert kids[1:] == [key["kid"] for key in old]
        assert all("d" not in key for key in answer.json()["keys"])
        new = (await town.login(before.email)).json()["access_token"]
        assert jwt.get_unverified_header(new)["kid"] == kids[0]
        assert await town.me(before.bearer) == 200

    run(tmp_path, scenario)


def test_signing_keys_that_cannot_be_read_are_503(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        (town.places.keys / "token-signing.json").write_text("{}")
        for answer in (await town.login(ADMIN), await town.call("GET", "/.well-known/jwks.json")):
            assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[503])
            assert answer.headers["retry-after"]

    run(tmp_path, scenario)


def test_too_many_logins_at_once_are_told_to_come_again(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        attempts = [town.login(f"nobody-{n}@x.example", address=f"192.0.2.{n}") for n in range(80)]
        statuses = [answer.status_code for answer in await asyncio.gather(*attempts)]
        assert set(statuses) == {401, 503}
        assert (await town.login(ADMIN)).status_code == 200

    run(tmp_path, scenario)
