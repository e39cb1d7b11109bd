"""What mails look like: a plain text and the same as HTML, readable on a phone.

Values come from outside. They were cleaned when the alert was made (`assay.alerts.details`); here they are put into
HTML escaped, into headers not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from urllib.parse import quote

from assay.alerts.details import Details
from assay.alerts.records import Alert, Message
from assay.moments import moment
from assay.schemas.fields import currency_minor_units

LISTED = 50
"""Alerts that a digest shows."""
STYLE = "font-family:sans-serif;font-size:16px;line-height:1.4;max-width:600px;margin:0 auto;padding:12px"
Rows = list[tuple[str, str]]


class Writer:
    """Writes the mails of an installation."""

    def __init__(self, sender: str, link: str | None) -> None:
        """`link`: base URL of the API; None: mails without links."""
        self._sender = sender
        self._domain = sender.rpartition("@")[2]
        self._link = link

    def write(self, message: Message, alerts: Sequence[Alert], count: int) -> EmailMessage:
        """The mail. `alerts`: the first of the `count` that it is about."""
        if message.is_digest:
            return self._mail(message, f"{count} alerts", *self._digest(message, alerts, count))
        alert = alerts[0]
        return self._mail(message, alert.decision or alert.kind, *self._single(alert))

    def link(self, alert: Alert) -> str | None:
        """Where the decision is to be seen."""
        if self._link is None or alert.transaction_id is None:
            return None
        decision = quote(alert.transaction_id, safe="")
        return f"{self._link.rstrip('/')}/decisions/{decision}?client_id={quote(alert.client_id, safe='')}"

    def _mail(self, message: Message, about: str, text: str, html: str) -> EmailMessage:
        """Of the same bytes whenever it is written."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._sender
        mail["To"] = ", ".join(message.recipients)
        mail["Subject"] = f"Assay: {about} ({message.route})"
        mail["Date"] = moment(message.created_at)
        mail["Message-ID"] = f"<{message.id}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text, cte="quoted-printable")
        mail.add_alternative(html, subtype="html", cte="quoted-printable")
        mail.set_boundary(f"=_{message.id}")
        return mail

    def _single(self, alert: Alert) -> tuple[str, str]:
        details = Details.model_validate_json(alert.details)
        title, rows, link = _title(alert, details), _rows(alert, details), self.link(alert)
        text = [title, "", *_reasons_text(details.reasons), *(f"{name}: {value}" for name, value in rows)]
        html = [f"<h2>{escape(title)}</h2>", _reasons_html(details.reasons), _table(rows)]
        if link is not None:
            text += ["", link]
            html.append(f'<p><a href="{escape(link)}">The decision</a></p>')
        return "\n".join([*text, ""]), _page(html)

    def _digest(self, message: Message, alerts: Sequence[Alert], count: int) -> tuple[str, str]:
        title = f"{count} alerts since {moment(message.created_at):%Y-%m-%d %H:%M} UTC"
        text, html = [title, ""], [f"<h2>{title}</h2>", "<ol>"]
        for alert in alerts:
            line, link = _title(alert, Details.model_validate_json(alert.details)), self.link(alert)
            name = f"{alert.client_id} {alert.transaction_id or ''}".rstrip()
            text += [f"- {line}: {name}", *([f"  {link}"] if link else [])]
            shown = f'<a href="{escape(link)}">{escape(name)}</a>' if link else escape(name)
            html.append(f"<li>{escape(line)}: {shown}</li>")
        html.append("</ol>")
        if count > len(alerts):
            rest = f"and {count - len(alerts)} more: GET /alerts?route={message.route}"
            text.append(rest)
            html.append(f"<p>{rest}</p>")
        return "\n".join([*text, ""]), _page(html)


def _title(alert: Alert, details: Details) -> str:
    amount = _amount(details)
    return f"{alert.decision or alert.kind} of {amount}" if amount else alert.decision or alert.kind


def _rows(alert: Alert, details: Details) -> Rows:
    """What is known, by name."""
    rows = (
        ("Transaction", alert.transaction_id),
        ("Client", alert.client_id),
        ("When", f"{details.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),
        ("Account", details.account),
        ("Counterparty", details.counterparty),
        ("Channel", details.channel),
        ("Country", details.country),
        ("Fraud score", None if details.fraud_score is None else f"{details.fraud_score:.3f}"),
        ("Decided by", details.triggered_by),
        ("Rules", ", ".join(details.triggered_rules)),
        ("Decided without", ", ".join(details.degraded)),
        ("Release", details.release),
        *details.facts.items(),
    )
    return [(name, value) for name, value in rows if value]


def _amount(details: Details) -> str:
    if details.amount is None or details.currency is None:
        return ""
    digits = currency_minor_units().get(details.currency, 2)
    return f"{details.amount:,.{digits}f} {details.currency}"


def _reasons_text(reasons: Sequence[str]) -> list[str]:
    return ["Why:", *(f"- {reason}" for reason in reasons), ""] if reasons else []


def _reasons_html(reasons: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f"<p>Why:</p><ul>{items}</ul>" if items else ""


def _table(rows: Rows) -> str:
    cells = (
        f'<tr><th align="left" valign="top">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows
    )
    return f'<table cellpadding="4">{"".join(cells)}</table>'


def _page(body: Iterable[str]) -> str:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return f'<!doctype html><html><head>{head}</head><body><div style="{STYLE}">{"".join(body)}</div></body></html>'
