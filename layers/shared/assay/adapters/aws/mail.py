"""Mail by SES."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

from assay.adapters.aws.clients import FAILURES, code_of
from assay.alerts.ports import Undelivered

TIMEOUT_S = 10.0
"""For one call. It is made once: who does not answer may have sent the mail."""
_FOR_GOOD = frozenset({"MessageRejected", "BadRequestException", "ValidationException", "InvalidParameterValue"})
"""About this mail. All else is about us (throttled, not allowed, not verified) or the service, and may pass."""


class SesMailer:
    """Hands mails over as they are written. SES takes one for 50 recipients, as many as a route may have."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "sesv2", made with `clients.patient(TIMEOUT_S, attempts=1)`."""
        self._client = client

    async def send(self, mail: EmailMessage, recipients: Sequence[str]) -> Mapping[str, Undelivered]:
        """Nobody is missed: the mail is taken for all, or for none and `Undelivered` raised."""
        try:
            await self._client.send_email(
                FromEmailAddress=parseaddr(mail["From"])[1],
                Destination={"ToAddresses": list(recipients)},
                Content={"Raw": {"Data": mail.as_bytes()}},
            )
        except FAILURES as error:
            code = code_of(error)
            raise Undelivered(f"SES {code}", is_permanent=code in _FOR_GOOD) from error
        return {}
