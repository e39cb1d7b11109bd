"""Labels through the embedded product: who may, what is refused, what the profile and the rules learn."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.adapters.sqlite.labels_effects import SqliteEffectStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.features.transaction import Transaction
from assay.identity.scopes import Role
from assay.labels.ports import Effect, Standing, TokenKind
from assay.policy import Feedback as Limits
from functions.post_auth_intelligence import feedback_csv
from local.labels import labels_table
from tests.harness.identity import Town, bearer, run
from tests.harness.labels import START
from tests.harness.releases import copied_models, every_flag_escalates, write_variant
from tests.harness.service import EVENTS

CSV = {"Content-Type": "text/csv"}


async def shop(town: Town, name: str = "shop") -> dict[str, str]:
    """Headers of a service client with every scope."""
    secret = await town.service_client(name)
    return bearer((await town.client_token(name, secret)).json()["access_token"])


async def score(town: Town, client: dict[str, str], transaction: str, file: str = "genuine", **changes: Any) -> Any:
    body = {**json.loads((EVENTS / f"score_{file}.json").read_text()), "transaction_id": transaction, **changes}
    answer = await town.call("POST", "/score", headers=client, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def label(town: Town, who: dict[str, str], transaction: str, label: str, **more: str) -> Any:
    body = {"transaction_id": transaction, "label": label, **more}
    return await town.call("POST", "/feedback", headers=who, json=body)


def test_a_label_and_its_history(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        client = await shop(town)
        ana, ben = [await town.person(Role.ANALYST) for _ in range(2)]
        await score(town, client, "t1")
        own = await label(town, client, "t1", "fraud_confirmed", note="chargeback")
        assert own.json() == {
            "client_id": "shop",
            "transaction_id": "t1",
            "outcome": "recorded",
            "label": "fraud_confirmed",
        }
        assert (await label(town, client, "t1", "fraud_confirmed")).json()["outcome"] == "unchanged"
        changed = await label(town, ana.bearer, "t1", "legitimate", client_id="shop", note="the customer called")
        assert (changed.json()["outcome"], changed.json()["label"]) == ("recorded", "legitimate")
        long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        early = await label(town, ben.bearer, "t1", "inconclusive", client_id="shop", labelled_at=long_ago)
        assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "early")
        seen = (await town.call("GET", "/feedback/t1?client_id=shop", headers=ben.bearer)).json()
        assert [(one["label"], one["by"], one["note"]) for one in seen["opinions"]] == [
            ("fraud_confirmed", "shop", "chargeback"),
            ("legitimate", ana.id, "the customer called"),
        ]
        told = (await town.call("GET", "/feedback/t1", headers=client)).json()
        assert (told["label"], [one["by"] for one in told["opinions"]]) == ("legitimate", ["shop"])
        events = [event for event in town.events() if event["event"] == "label.recorded"]
        assert [(event["client_id"], event["data"]["in_effect"], event["data"]["before"]) for event in events] == [
            ("shop", "fraud_confirmed", None),
            (ana.id, "legitimate", "fraud_confirmed"),
        ]
        assert "chargeback" not in json.dumps(events)
        table = labels_table(town.places.database)
        assert table.select("client_id", "transaction_id", "label", "labelled_by").rows() == [
            ("shop", "t1", "legitimate", ana.id)
        ]

    run(tmp_path, scenario)


def test_what_is_refused(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        client, other = await shop(town), await shop(town, "other")
        ana = await town.person(Role.ANALYST)
        viewer = await town.person(Role.VIEWER)
        await score(town, client, "t1")
        ahead = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
        fraud = "fraud_confirmed"
        for who, body, status in [
            (client, {"transaction_id": "t2", "label": fraud}, 404),
            (other, {"transaction_id": "t1", "label": fraud}, 404),
            (other, {"transaction_id": "t1", "label": fraud, "client_id": "shop"}, 404),
            (ana.bearer, {"transaction_id": "t1", "label": fraud}, 422),
            (viewer.bearer, {"transaction_id": "t1", "label": fraud, "client_id": "shop"}, 403),
            (client, {"transaction_id": "t1", "label": fraud, "labelled_at": ahead}, 422),
            (client, {"transaction_id": "t1", "label": "FRAUD"}, 422),
            (client, {"transaction_id": "t1", "label": fraud, "note": "two\nlines"}, 422),
            (client, {"transaction_id": "t1", "label": fraud, "note": "x" * 201}, 422),
            (client, {"transaction_id": "t1", "label": fraud, "note": "card 4111 1111 1111 1111"}, 422),
            (client, {"transaction_id": "t1", "label": fraud, "by": "somebody"}, 422),
        ]:
            answer = await town.call("POST", "/feedback", headers=who, json=body)
            assert (answer.status_code, "4111" in answer.text) == (status, False), (body, answer.text)
        assert (await town.call("GET", "/feedback/t1", headers=client)).status_code == 404
        assert "label.recorded" not in town.kinds()

    run(tmp_path, scenario)


def test_a_file_is_taken_as_far_as_it_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_csv, "CHUNK", 2)

    async def scenario(town: Town) -> None:
        client = await shop(town)
        ana = await town.person(Role.ANALYST)
        for name in ("a", "b", "c"):
            await score(town, client, name)
        file = "transaction_id,label,note\na,fraud_confirmed,yes\nb,who knows,\nnowhere,legitimate,\n\nc,legitimate,\n"
        place = "/feedback/import?client_id=shop"
        answer = await town.call("POST", place, headers=ana.bearer | CSV, content=file)
        report = answer.json()
        assert (report["recorded"], report["refused"]) == (2, 2)
        assert [row["line"] for row in report["errors"]] == [3, 4]
        assert report["errors"][1]["reason"] == "The client has no such transaction"
        again = (await town.call("POST", place, headers=ana.bearer | CSV, content=file)).json()
        assert (again["recorded"], again["unchanged"], again["refused"]) == (0, 2, 2)
        assert [event["event"] for event in town.events()].count("label.recorded") == 2
        own = (
            await town.call("POST", "/feedback/import", headers=client | CSV, content="label,transaction_id\n")
        ).json()
        assert own == {"recorded": 0, "pending": 0, "confirmed": 0, "unchanged": 0, "refused": 0, "errors": []}
        for content, media, status in [
            (b"nonsense", "text/csv", 422),
            (b"a,b", "application/json", 415),
            (b"x" * (feedback_csv.MAX_FILE + 1), "text/csv", 413),
        ]:
            bad = await town.call("POST", place, headers=ana.bearer | {"Content-Type": media}, content=content)
            assert bad.status_code == status

    run(tmp_path, scenario)


def test_beyond_the_allowance_a_second_person_is_needed(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        town.embedded.labels.api.feedback.limits = Limits(per_person_and_day=2)
        client = await shop(town)
        ana, ben = [await town.person(Role.ANALYST) for _ in range(2)]
        for name in ("a", "b", "c", "d"):
            await score(town, client, name)
        fraud = {"client_id": "shop"}
        outcomes = [(await label(town, ana.bearer, name, "fraud_confirmed", **fraud)).json() for name in "abcd"]
        assert [one["outcome"] for one in outcomes] == ["recorded", "recorded", "pending", "pending"]
        assert outcomes[2]["label"] is None
        page = (await town.call("GET", "/feedback?limit=1", headers=ben.bearer)).json()
        assert [one["transaction_id"] for one in page["labels"]] == ["c"]
        rest = (await town.call("GET", f"/feedback?after={page['next']}", headers=ben.bearer)).json()
        assert ([one["transaction_id"] for one in rest["labels"]], rest["next"]) == (["d"], None)
        assert (await label(town, ana.bearer, "c", "fraud_confirmed", **fraud)).json()["outcome"] == "unchanged"
        second = (await label(town, ben.bearer, "c", "fraud_confirmed", **fraud)).json()
        assert (second["outcome"], second["label"]) == ("confirmed", "fraud_confirmed")
        assert (await town.call("GET", "/feedback?limit=0", headers=ben.bearer)).status_code == 422

    run(tmp_path, scenario)


def test_the_profile_learns_of_fraud_and_unlearns_it(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        client = await shop(town)
        await score(town, client, "t1", counterparty_id="m1")
        rows = "SELECT fraud FROM activity WHERE counterparty = 'm1'"
        reader = town.embedded.ledger.reader
        await label(town, client, "t1", "fraud_confirmed")
        await town.embedded.relay.drain()
        assert reader.execute(rows).fetchall() == [(1,)]
        assert await share(town) == 1.0
        await label(town, client, "t1", "legitimate")
        await town.embedded.relay.drain()
        assert reader.execute(rows).fetchall() == [(0,)]
        assert await share(town) == 0.0

    async def share(town: Town) -> float:
        """The counterparty's delayed fraud share, eight days from now."""
        later = int((datetime.now(UTC) + timedelta(days=7, hours=1)).timestamp()) * 1_000_000
        probe = Transaction("probe", later, "acct-probe", 10_000, "EUR", "web", "otp", counterparty="m1")
        profile = town.embedded.pipeline._profile
        found = await profile.observe("shop", probe)
        await profile.retract("shop", probe)
        assert found["counterparty_tx_count_1d"] == 1.0
        return float(found["counterparty_fraud_share_1d"] or 0.0)

    run(tmp_path, scenario)


def test_what_labels_say_of_the_rules(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        client = await shop(town)
        ana = await town.person(Role.VIEWER)
        for n in range(3):
            await score(town, client, f"b{n}", "blocked", account_id=f"a{n}")
        await label(town, client, "b0", "fraud_confirmed")
        await label(town, client, "b1", "false_positive")
        await label(town, client, "b2", "inconclusive")
        report = (await town.call("GET", "/intelligence/rules?days=1", headers=ana.bearer)).json()
        assert (report["labelled"], report["frauds"], report["legitimate"]) == (3, 1, 1)
        assert {row["fired"] for row in report["rules"]} == {3}
        assert {(row["precision"], row["recall"]) for row in report["rules"]} == {(0.5, 1.0)}
        for days in ("0", "x"):
            bad = await town.call("GET", f"/intelligence/rules?days={days}", headers=ana.bearer)
            assert bad.status_code == 422

    run(tmp_path, scenario)


def test_the_device_of_a_confirmed_fraud_is_denied_until_the_label_changes(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        client = await shop(town)
        await score(town, client, "t1", device_id="stolen")
        await label(town, client, "t1", "fraud_confirmed")
        await town.embedded.relay.drain()
        denied = await score(town, client, "t2", account_id="somebody-else", device_id="stolen")
        assert (denied["decision"], denied["triggered_by"]) == ("DECLINE", "DENY_LIST")
        other = await score(town, client, "t3", account_id="somebody-else", device_id="own")
        assert other["triggered_by"] != "DENY_LIST"
        await label(town, client, "t1", "inconclusive")
        await town.embedded.relay.drain()
        free = await score(town, client, "t4", account_id="somebody-else", device_id="stolen")
        assert free["triggered_by"] != "DENY_LIST"

    run(tmp_path, scenario)


def test_an_account_that_was_cleared_is_not_challenged_for_flags(tmp_path: Path) -> None:
    # Fired flags and quiet models: the caller knows the account, only the device is new.
    given = {"new_device_flag": 1, "device_seen_before": 1, "tx_frequency_ratio": 1.0}

    async def scenario(town: Town) -> None:
        client = await shop(town)
        before = await score(town, client, "t1", account_id="cleared", features=given, amount=10)
        assert (before["decision"], before["triggered_by"]) == ("CHALLENGE", "RULES_FLAG")
        await label(town, client, "t1", "false_positive")
        await town.embedded.relay.drain()
        after = await score(town, client, "t2", account_id="cleared", features=given, amount=10)
        assert (after["decision"], after["triggered_by"]) == ("APPROVE", "ANALYST_TRUST")
        assert [reason["code"] for reason in after["reasons"]] == ["trust:analyst"]
        other = await score(town, client, "t3", account_id="not-cleared", features=given, amount=10)
        assert other["decision"] == "CHALLENGE"
        await label(town, client, "t1", "fraud_confirmed")
        await town.embedded.relay.drain()
        again = await score(town, client, "t4", account_id="cleared", features=given, amount=10, device_id="d-2")
        assert again["triggered_by"] == "RULES_FLAG"

    key = Ed25519PrivateKey.generate()
    models = copied_models(tmp_path / "models", key)
    write_variant(models / "releases", "flags", key, policy=every_flag_escalates)
    (models / "releases" / "CHAMPION").write_text("flags\n")
    run(tmp_path / "data", scenario, models=models)


def test_effects_outlive_the_process_but_not_their_time(tmp_path: Path) -> None:
    now = [START]

    async def main() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        store = SqliteEffectStore(ledger, lambda: now[0])
        device, trust = Effect("deny", "device", "d", START + 2), Effect("trust", "account", "a", START + 9)
        for _ in range(2):
            await store.replace("shop", "t1", [device, trust])
        await store.replace("shop", "t2", [Effect("deny", "device", "d", START + 5)])
        again = SqliteEffectStore(ledger, lambda: now[0])
        tokens: dict[TokenKind, str] = {"account": "a", "device": "d"}
        assert await again.standing(tokens) == await store.standing(tokens) == Standing(True, True)
        assert await store.standing({"account": "d", "device": "a"}) == Standing()
        await store.replace("shop", "t2", [])
        now[0] = START + 2
        assert await store.standing(tokens) == await again.standing({"account": "a"}) == Standing(False, True)
        await store.replace("shop", "t1", [])
        assert await store.standing(tokens) == Standing()
        await ledger.close()

    asyncio.run(main())
