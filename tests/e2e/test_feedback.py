"""Labels over HTTP and by command, beside a running server."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from local.cli import app
from local.identity import create_admin
from local.places import Places
from tests.harness import problems, state
from tests.harness.service import EVENTS, JSON, Service

NUMBERS = count(1)
ANA = "ana@bank.example"


@pytest.fixture(scope="module", autouse=True)
def ana(server: Service) -> str:
    return create_admin(Places(server.data), ANA, "Ana", "correct horse battery staple")


def scored(client: httpx.Client, file: str = "score_genuine.json", **changes: Any) -> str:
    """Its id. On a device of its own: that of a confirmed fraud is denied to the other tests of this server too."""
    transaction = f"fb-{next(NUMBERS)}"
    own = {"transaction_id": transaction, "device_id": f"device-{transaction}"}
    body = {**json.loads((EVENTS / file).read_text()), **own, **changes}
    assert client.post("/score", json=body).status_code == 200
    return transaction


def command(server: Service, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(server.data)])


def test_from_a_label_to_the_profile(client: httpx.Client, server: Service) -> None:
    transaction = scored(client, account_id="acct-fb", counterparty_id="shop-fb")
    answer = client.post("/feedback", json={"transaction_id": transaction, "label": "fraud_confirmed"})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "recorded")
    query = "SELECT fraud FROM activity WHERE counterparty = 'shop-fb'"
    state.eventually(lambda: state.query(server.data, query), lambda rows: rows == [(1,)], "the profile's label")
    recorded = "SELECT count(*) FROM audit_records WHERE kind = 'label.recorded'"
    state.eventually(lambda: state.query(server.data, recorded)[0][0], lambda found: found >= 1, "the audit log")


def test_a_file_by_command_beside_the_server(client: httpx.Client, server: Service, tmp_path: Path) -> None:
    one, two = scored(client), scored(client)
    file = tmp_path / "labels.csv"
    file.write_text(f"transaction_id,label\n{one},fraud_confirmed\n{two},perhaps\nnowhere,legitimate\n")
    taken = command(server, "feedback", "import", str(file), "--as", ANA, "--client", "shop")
    assert taken.exit_code == 1
    assert "1 recorded, 0 pending, 0 confirmed, 0 unchanged, 2 refused" in taken.output
    assert "line 3: label: " in taken.output and "line 4: The client has no such transaction" in taken.output
    again = command(server, "feedback", "import", str(file), "--as", ANA.upper(), "--client", "shop", "--json")
    report = json.loads(again.stdout)
    assert (report["unchanged"], report["refused"], len(report["errors"])) == (1, 2, 2)
    assert client.get(f"/feedback/{one}").json()["label"] == "fraud_confirmed"
    state.drained(server.data)


def test_who_may_not_and_what_is_no_file(server: Service, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("transaction_id,verdict\n")
    header = command(server, "feedback", "import", str(file), "--as", ANA)
    assert (header.exit_code, "The first line should name columns" in header.output) == (1, True)
    file.write_text("transaction_id,label\n")
    nobody = command(server, "feedback", "import", str(file), "--as", "nobody@bank.example")
    assert (nobody.exit_code, "no active user" in nobody.output) == (1, True)
    nowhere = CliRunner().invoke(app, ["feedback", "rules", "--data-dir", str(tmp_path / "nowhere")])
    assert (nowhere.exit_code, "there is no database" in nowhere.output) == (1, True)


def test_rules_and_backtest_learn_from_labels(client: httpx.Client, server: Service, tmp_path: Path) -> None:
    blocked = [scored(client, "score_blocked.json", account_id=f"acct-rules-{n}") for n in range(2)]
    scored(client)  # of which nobody says anything
    for transaction, label in zip(blocked, ("fraud_confirmed", "false_positive"), strict=True):
        assert client.post("/feedback", json={"transaction_id": transaction, "label": label}).status_code == 200
    state.drained(server.data)
    report = json.loads(command(server, "feedback", "rules", "--json").stdout)
    assert report["frauds"] >= 1 and report["legitimate"] >= 1
    fired = [row for row in report["rules"] if row["precision"] is not None]
    shown = command(server, "feedback", "rules").stdout
    assert fired and all(row["id"][:12] in shown for row in fired)
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\nescalation: 0.9\nrules:\n- {id: everything, name: e, category: c, severity: BLOCK,"
        ' when: amount > 0.001, analyst_text: x, customer_text: "x"}\n'
    )
    tried = CliRunner().invoke(app, ["backtest", str(rules), "--against", str(server.data), "--json"])
    assert tried.exit_code == 0, tried.output
    result = json.loads(tried.stdout)
    (rule,) = [row for row in result["rules"] if row["id"] == "everything"]
    assert (rule["status"], rule["firings"]["proposed"]["fraud"]) == ("added", result["declines"]["proposed"]["fraud"])
    assert result["labelled"]["fraud"]["transactions"] == report["frauds"]
    assert result["labelled"]["unknown"]["transactions"] > 0
    assert result["declines"]["gained_approved"] is not None
    people = CliRunner().invoke(app, ["backtest", str(rules), "--against", str(server.data)])
    assert people.exit_code == 0 and "everything" in people.stdout
    mine = tmp_path / "mine.yaml"
    mine.write_text("version: 1\n")
    broken = CliRunner().invoke(app, ["backtest", str(mine), "--against", str(server.data)])
    assert broken.exit_code == 1 and "mine.yaml: " in broken.output and "rules.yaml" not in broken.output


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"[]", 422, ""),
        (b"{}", 422, "transaction_id"),
        (b'{"transaction_id": "t", "label": null}', 422, "label"),
        (b'{"transaction_id": "t", "label": "legitimate", "label": "legitimate"}', 400, "label"),
        (b'{"transaction_id": "a b", "label": "legitimate"}', 422, "transaction_id"),
        (b'{"transaction_id": "t", "label": "legitimate", "labelled_at": "yesterday"}', 422, "labelled_at"),
        (b'{"transaction_id": "4111111111111111", "label": "legitimate"}', 422, "transaction_id"),
        (b'{"transaction_id": "t", "label": "legitimate", "note": "' + b"x" * 70_000 + b'"}', 413, None),
        (b'{"transaction_id": "t", "label": "legitimate"}', 404, None),
    ],
)
def test_bad_labels(client: httpx.Client, body: bytes, status: int, field: str | None) -> None:
    answer = client.post("/feedback", content=body, headers=JSON)
    fields = [] if field is None else [field]
    wrong = problems.faults(answer.status_code, answer.headers, answer.content, fields, ["4111", "yesterday"], [status])
    assert not wrong
