"""alerts.yaml: what is wrong is named, and refused."""

import pytest

from assay.alerts.config import AlertsError, checked_address, default, load_config
from assay.errors import SettingsError
from functions.alerts.calls import endpoints
from tests.harness.alerts import config

GOOD = """
link: https://assay.bank.example/fraud
webhooks:
  siem:
    url: https://siem.bank.example/hooks
    secrets: [env:SIEM_SECRET, env:SIEM_SECRET_OLD]
routes:
  - name: declined
    when:
      - decisions: [DECLINE]
      - decisions: [CHALLENGE]
        min_fraud_score: 0.8
        min_amount_base: 1000
        rules: [impossible_travel]
      - degraded: true
    to: [duty@bank.example, o'neil+fraud@bank.example]
    webhooks: [siem]
    digest: {mails_per_window: 3, window_minutes: 10}
  - name: people
    when: [{events: [keys.rotated, session.reuse_detected]}]
    to: [lead@bank.example]
"""
ROUTE = "routes: [{name: a, when: [{decisions: [DECLINE]}], to: [x@y]}]"
SECRET = "whsec_" + "QUJD" * 12


def test_a_good_file() -> None:
    read = config(GOOD)
    assert [route.name for route in read.routes] == ["declined", "people"]
    assert read.routes[0].digest.limits().window == 600_000_000
    assert read.kinds() == {"transaction.scored", "keys.rotated", "session.reuse_detected"}


def test_the_default_mails_what_is_declined_and_what_the_card_system_did_not_take() -> None:
    assert [(route.name, route.to) for route in default().routes] == [
        ("declined", ["duty@localhost"]),
        ("card-orders", ["duty@localhost"]),
    ]
    assert default().kinds() == {"transaction.scored", "card_order.dead"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("name: declined", "nmae: declined"), "routes[0].name: Field required"),
        (("DECLINE", "REFUSE"), "routes[0].when[0].decisions[0]: Input should be 'APPROVE', 'CHALLENGE' or 'DECLINE'"),
        (("0.8", "8"), "routes[0].when[1].min_fraud_score"),
        (("0.8", "high"), "routes[0].when[1].min_fraud_score"),
        (("0.8", ".nan"), "routes[0].when[1].min_fraud_score"),
        (("1000", "-1"), "routes[0].when[1].min_amount_base"),
        (("degraded: true", "degraded: 'yes'"), "routes[0].when[2].degraded"),
        (("degraded: true", "degarded: true"), "routes[0].when[2].degarded: unknown key"),
        (("- degraded: true", "- {}"), "routes[0].when[2]: a condition that says nothing"),
        (("keys.rotated", "keys"), "routes[1].when[0].events[0]"),
        (("keys.rotated", "transaction.scored"), "transaction.scored is meant where decisions are named"),
        (("{events:", "{decisions: [DECLINE], events:"), "events go alone"),
        (("duty@bank.example", "duty"), "routes[0].to[0]"),
        (("duty@bank.example", '"duty@bank.example\\r\\nBcc: x@y"'), "routes[0].to[0]"),
        (("duty@bank.example", '"duty@bank.example\\n"'), "routes[0].to[0]"),
        (("duty@bank.example", "Duty <duty@bank.example>"), "routes[0].to[0]"),
        (("lead@bank.example", "lead@bank.example, LEAD@bank.example"), "routes[1]: to names somebody twice"),
        (("    to: [lead@bank.example]", ""), "routes[1]: a route needs `to` or `webhooks`"),
        (("webhooks: [siem]", "webhooks: [seim]"), "routes[0].webhooks: no webhook seim; did you mean 'siem'?"),
        (("name: people", "name: declined"), "routes[1].name: given twice"),
        (("name: people", "name: People of the bank"), "routes[1].name"),
        (("mails_per_window: 3", "mails_per_window: 1000"), "routes[0].digest.mails_per_window"),
        (("window_minutes: 10", "window_minutes: 0"), "routes[0].digest.window_minutes"),
        (("env:SIEM_SECRET,", "whsec_c2VjcmV0,"), "webhooks.siem.secrets[0]"),
        (("env:SIEM_SECRET,", "env:A, env:B,"), "webhooks.siem.secrets"),
        (("  siem:\n", "  mail:\n"), "webhooks.mail: the name is taken"),
        (("https://siem.bank.example/hooks", "http://siem.bank.example"), "webhooks.siem.url: should begin with https"),
        (
            ("https://siem.bank.example/hooks", "https://169.254.169.254/"),
            "webhooks.siem.url: the address is not a pub",
        ),
        (("https://siem.bank.example/hooks", "https://10.0.0.1/"), "webhooks.siem.url: the address is not a public"),
        (("https://assay.bank.example/fraud", "javascript:alert(1)"), "link: should be an http(s) URL"),
        (("https://assay.bank.example/fraud", "https://a/?q=1"), "link: should be an http(s) URL"),
        (("link:", "lnik:"), "lnik: unknown key; did you mean 'link'?"),
        (("routes:", "routes: []\nother:"), "routes: List should have at least 1 item"),
    ],
)
def test_what_is_wrong_is_named(change: tuple[str, str], said: str) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(AlertsError) as refused:
        config(text)
    assert str(refused.value).startswith("alerts.yaml: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "routes: []", "a: b: c", "routes: &a [*a]", "\x00", "routes: !!python/x {}"]
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(AlertsError, match=r"^alerts\.yaml: "):
        load_config(text.encode())


def test_local_webhooks_have_to_be_allowed() -> None:
    local = GOOD.replace("https://siem.bank.example/hooks", "http://127.0.0.1:8081/")
    with pytest.raises(AlertsError):
        config(local)
    assert config("allow_local_webhooks: true\n" + local).webhooks["siem"].url == "http://127.0.0.1:8081/"


def test_secrets_come_from_the_environment_and_from_files(tmp_path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    text = GOOD.replace("env:SIEM_SECRET_OLD", f"file:{tmp_path}/secret")
    found = endpoints(config(text), {"SIEM_SECRET": SECRET})
    assert len(found["siem"].secrets) == 2
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "webhooks.siem.secrets[0]: env:SIEM_SECRET: is not there"),
        ({"SIEM_SECRET": SECRET}, "webhooks.siem.secrets[1]: env:SIEM_SECRET_OLD: is not there"),
        (
            {"SIEM_SECRET": "topsecret", "SIEM_SECRET_OLD": SECRET},
            "webhooks.siem.secrets[0]: env:SIEM_SECRET: a webhook",
        ),
    ],
)
def test_a_secret_that_is_missing_or_wrong_is_named_and_not_shown(environment: dict[str, str], said: str) -> None:
    with pytest.raises(AlertsError) as refused:
        endpoints(config(GOOD), environment)
    assert str(refused.value).startswith(said)
    assert "topsecret" not in str(refused.value)


@pytest.mark.parametrize("sender", ["", "assay", "assay@x\r\nBcc: y@z", "Assay <assay@x>"])
def test_the_sender_is_a_plain_address(sender: str) -> None:
    assert checked_address("assay@localhost", "ASSAY_MAIL_FROM") == "assay@localhost"
    with pytest.raises(SettingsError, match=r"^ASSAY_MAIL_FROM: should be a plain mail address$"):
        checked_address(sender, "ASSAY_MAIL_FROM")


def test_one_good_route_is_enough() -> None:
    assert config(ROUTE).routes[0].to == ["x@y"]
