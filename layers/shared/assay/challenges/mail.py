"""One-time codes by e-mail."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import localtime, make_msgid, parseaddr

from assay.alerts.ports import Mailer, Undelivered
from assay.challenges.ports import CodeMessage, Contact
from assay.challenges.texts import SUBJECT, text_of


class MailSender:
    """To the contact's e-mail address, over any mail system."""

    def __init__(self, mailer: Mailer, sender: str) -> None:
        """`sender`: what mails come from."""
        self._mailer = mailer
        self._sender = sender
        self._domain = parseaddr(sender)[1].partition("@")[2] or None

    def channel(self, contact: Contact | None) -> str | None:
        """Mail, with an e-mail address."""
        return None if contact is None or contact.email is None else "mail"

    async def send(self, message: CodeMessage, contact: Contact | None) -> None:
        """Raises `Undelivered`."""
        if contact is None or contact.email is None:
            raise Undelivered("no e-mail address", is_permanent=True)
        for refusal in (await self._mailer.send(self._mail(message, contact.email), [contact.email])).values():
            raise refusal

    def _mail(self, message: CodeMessage, address: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, address, SUBJECT
        mail["Date"], mail["Message-ID"] = localtime(), make_msgid(domain=self._domain)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text_of(message))
        return mail
