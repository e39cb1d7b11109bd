"""What a mail looks like, and what nobody can make of it."""

from __future__ import annotations

import email
import json
import re
from email import policy
from email.message import EmailMessage
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.alerts.config import default
from assay.alerts.details import CONSIDERED, LONGEST, clean, masked
from assay.alerts.records import MAIL, Alert, Message
from functions.alerts.channels import call
from functions.alerts.mails import Writer
from functions.alerts.routing import Router
from tests.harness.alerts import START, scored

WRITER = Writer("assay@bank.example", "https://assay.bank.example/")
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
}  # fmt: skip
NASTY = [
    "x\r\nBcc: thief@evil.example",
    "x\nSubject: you won",
    "x\r\n\r\n<html>",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe",
    "\u2028Bcc: thief@evil.example",
    "=?utf-8?q?Bcc=3A?=",
    "x" * 10_000,
    "\x00\x07\x1b[31m",
    "4111 1111 1111 1111",
    "４１１１１１１１１１１１１１１１",
    "4111\u200b1111\u200b1111\u200b1111",
    "--=_msg",
    ".",
    "",
]


def alerts_of(body: bytes) -> list[Alert]:
    return [new.alert for new in Router(default()).alerts(body, START)]


def message(**changes: object) -> Message:
    return Message("msg_1", "declined", MAIL, START, START, recipients=("duty@bank.example", "b@x"), **changes)  # type: ignore[arg-type]


def sent(mail: EmailMessage) -> EmailMessage:
    """As it arrives."""
    found = email.message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def parts(mail: EmailMessage) -> tuple[str, str]:
    plain, html = sent(mail).iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return plain.get_content().replace("\r\n", "\n"), html.get_content()


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]


def test_a_mail_about_one_alert() -> None:
    (alert,) = alerts_of(scored(1, transaction={"ip_address": "192.0.2.1"}))
    mail = WRITER.write(message(), [alert], 1)
    got = sent(mail)
    assert set(got.keys()) == HEADERS
    assert got["Subject"] == "Assay: DECLINE (declined)"
    assert (got["From"], got["To"]) == ("assay@bank.example", "duty@bank.example, b@x")
    assert (got["Message-ID"], got["Auto-Submitted"]) == ("<msg_1@bank.example>", "auto-generated")
    assert got["Date"].datetime.isoformat() == "2026-03-01T10:00:00+00:00"
    text, html = parts(mail)
    link = "https://assay.bank.example/decisions/t-1?client_id=shop"
    for value in ("DECLINE of 1,234.50 EUR", "4,000 km/h", "2026-03-01 09:59:58 UTC", "…nt-1", "…t-77", "0.970", link):
        assert value in text
        assert value in unescape(html)
    assert "account-1" not in text + html
    assert Tags(html).links == [link]
    assert mail.as_bytes() == WRITER.write(message(), [alert], 1).as_bytes()


def test_without_a_base_there_is_no_link() -> None:
    (alert,) = alerts_of(scored(1))
    text, html = parts(Writer("a@b", None).write(message(), [alert], 1))
    assert "http" not in text
    assert Tags(html).links == []


def test_a_digest_lists_some_and_counts_all() -> None:
    alerts = [alert for n in range(50) for alert in alerts_of(scored(n))]
    mail = WRITER.write(message(is_digest=True), alerts, 995)
    assert sent(mail)["Subject"] == "Assay: 995 alerts (declined)"
    text, html = parts(mail)
    assert text.count("https://assay.bank.example/decisions/t-") == len(Tags(html).links) == 50
    assert "and 945 more: GET /alerts?route=declined" in text
    assert "and 945 more" in html


@pytest.mark.parametrize(
    "amount", [(1234.5, "JPY", "1,234 JPY"), (0.1, "KWD", "0.100 KWD"), (1e12, "EUR", "1,000,000")]
)
def test_amounts_have_the_decimals_of_their_currency(amount: tuple[float, str, str]) -> None:
    value, currency, shown = amount
    (alert,) = alerts_of(scored(1, transaction={"amount": value, "currency": currency}))
    assert f"DECLINE of {shown}" in parts(WRITER.write(message(), [alert], 1))[0]


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("is_digest", [False, True])
def test_nothing_that_is_put_in_gets_out(nasty: str, is_digest: bool) -> None:
    transaction = dict.fromkeys(("account_id", "counterparty_id", "channel", "geo_country", "currency"), nasty)
    reasons = [{"analyst_text": nasty}] * 3
    fields = {"triggered_by": nasty, "triggered_rules": [nasty], "degraded": [nasty], "reasons": reasons}
    (alert,) = alerts_of(scored(1, transaction=transaction, **fields))
    mail = WRITER.write(message(is_digest=is_digest), [alert], 1)
    got = sent(mail)
    assert set(got.keys()) == HEADERS
    assert "\r\nBcc" not in mail.as_string() and not re.search(rb"\nBcc", mail.as_bytes())
    text, html = parts(mail)
    tags = Tags(html)
    assert tags.tags <= {
        "html",
        "head",
        "meta",
        "body",
        "div",
        "h2",
        "p",
        "ul",
        "ol",
        "li",
        "table",
        "tr",
        "th",
        "td",
        "a",
    }
    assert tags.attributes <= {"charset", "name", "content", "style", "align", "valign", "cellpadding", "href"}
    assert "1111" not in text + html + json.dumps(alert.details)
    assert "１" not in text + html
    assert all(character.isprintable() or character == "\n" for character in text)
    assert len(text) < 5_000
    assert json.loads(call(alert, None))["data"]["alert_id"] == alert.id


@given(st.text(max_size=300))
def test_clean_text_is_one_printable_line_and_stays_so(text: str) -> None:
    line = clean(text)
    assert len(line) <= LONGEST and line.isprintable() and clean(line) == line
    assert masked(text).isprintable() and len(masked(text)) <= len("[removed]")


def test_a_number_at_the_edge_is_seen_whole() -> None:
    assert clean("x" * (LONGEST - 8) + " 4111111111111111") == "[removed]"
    assert clean("x" * (CONSIDERED - 8) + " 4111111111111111") == "x" * (LONGEST - 1) + "…"


def test_a_call_says_what_the_mail_does() -> None:
    (alert,) = alerts_of(scored(1))
    said = json.loads(call(alert, "https://a/decisions/t-1"))
    assert (said["type"], said["timestamp"]) == ("alert.raised", "2026-03-01T10:00:00Z")
    assert said["data"] == {
        "alert_id": alert.id,
        "route": "declined",
        "event": "transaction.scored",
        "client_id": "shop",
        "transaction_id": "t-1",
        "decision": "DECLINE",
        "occurred_at": "2026-03-01T09:59:58Z",
        "amount": 1234.5,
        "currency": "EUR",
        "amount_base": 1234.5,
        "account": "…nt-1",
        "counterparty": "…t-77",
        "channel": "web",
        "fraud_score": 0.97,
        "triggered_by": "fraud_score",
        "triggered_rules": ["impossible_travel"],
        "reasons": ["4,000 km/h"],
        "release": "2026.11.1",
        "link": "https://a/decisions/t-1",
    }
