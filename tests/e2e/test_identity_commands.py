"""`assay users`, `assay clients` and `assay keys`, beside a running server and without one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from local.cli import app
from tests.harness import state
from tests.harness.identity import PASSWORD, bearer
from tests.harness.service import running_service
from tests.harness.waiting import eventually

ADMIN = "ana@bank.example"


def assay(data: Path, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(data)], input=stdin)


def create_admin(data: Path, email: str = ADMIN, password: str = PASSWORD) -> Result:
    return assay(data, "users", "create-admin", email, "--password-stdin", stdin=f"{password}\n")


def test_beside_a_running_server(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service, httpx.Client(base_url=service.address) as http:
        assert create_admin(service.data).exit_code == 0
        answer = http.post("/auth/login", json={"email": ADMIN, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        admin = bearer(answer.json()["access_token"])
        assert http.get("/users", headers=admin).json()["users"][0]["email"] == ADMIN

        created = assay(service.data, "clients", "create", "shop", "--scope", "score:write")
        secret = created.stdout.split()[-1]
        form = {"grant_type": "client_credentials"}
        token = http.post("/oauth/token", auth=("shop", secret), data=form).json()["access_token"]
        assert http.post("/score", headers=bearer(token), json={}).status_code == 422

        rotated = assay(service.data, "keys", "rotate")
        kids = [key["kid"] for key in http.get("/.well-known/jwks.json").json()["keys"]]
        assert rotated.stdout.split()[-1] == kids[0]
        assert len(kids) == 2
        assert http.get("/users/me", headers=admin).status_code == 200

        state.drained(service.data)
        kinds = "SELECT count(*) FROM audit_records WHERE kind = ?"
        for kind in ("user.registered", "client.created", "keys.rotated", "user.logged_in"):
            eventually(lambda kind=kind: state.query(service.data, kinds, kind) == [(1,)])


def test_without_a_server(tmp_path: Path) -> None:
    data = tmp_path / "new"
    created = create_admin(data)
    assert (created.exit_code, data.stat().st_mode & 0o077) == (0, 0)
    assert (data / "assay.db").stat().st_mode & 0o077 == 0
    listed = assay(data, "users", "list").stdout.split()
    assert listed == [created.stdout.strip(), "active", "admin", ADMIN]
    prompted = assay(data, "users", "create-admin", "bo@bank.example", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert prompted.exit_code == 0
    assert PASSWORD not in prompted.output
    assert len(assay(data, "users", "list").stdout.splitlines()) == 2


def test_withdrawn_keys_are_published_no_more(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = assay(data, "keys", "rotate").stdout.split()[-1]
    second = assay(data, "keys", "rotate", "--withdraw").stdout.split()[-1]
    published = assay(data, "jwks").stdout
    assert (first in published, second in published) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (["users", "create-admin", ADMIN, "--password-stdin"], f"{PASSWORD}\n", "taken"),
        (["users", "create-admin", "c@bank.example", "--password-stdin"], "short\n", "password: "),
        (["users", "create-admin", "c@bank.example", "--password-stdin"], "", "password: "),
        (["users", "create-admin", "nobody", "--password-stdin"], f"{PASSWORD}\n", "email: "),
        (["clients", "create", "shop", "--scope", "score:write"], "", "There is a client with this id"),
        (["clients", "create", "usr_x", "--scope", "score:write"], "", "client_id: "),
        (["clients", "create", "a b", "--scope", "score:write"], "", "client_id: "),
        (["clients", "create", "c", "--scope", "identity:admin"], "", "scopes: "),
    ],
)
def test_what_cannot_be_done_is_said_on_one_line(tmp_path: Path, arguments: list[str], stdin: str, told: str) -> None:
    data = tmp_path / "data"
    create_admin(data)
    assay(data, "clients", "create", "shop", "--scope", "score:write")
    before = assay(data, "users", "list").stdout
    result = assay(data, *arguments, stdin=stdin)
    assert result.exit_code == 1
    assert result.stderr.startswith("assay: ")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert assay(data, "users", "list").stdout == before


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "assay.db").write_text("not a database at all, but long enough to look like one" * 20)
    (tmp_path / "keys" / "keys").mkdir(parents=True)
    (tmp_path / "keys" / "keys" / "token-signing.json").write_text("{}")
    for data, arguments in (
        ("absent", ("users", "list")),
        ("file", ("clients", "create", "shop", "--scope", "score:write")),
        ("foreign", ("users", "list")),
        ("keys", ("keys", "rotate")),
    ):
        result = assay(tmp_path / data, *arguments)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result.output
