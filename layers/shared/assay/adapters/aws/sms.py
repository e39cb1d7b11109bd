"""One-time codes as text messages, by SNS."""

from __future__ import annotations

from typing import Any

from assay.adapters.aws.clients import FAILURES, code_of
from assay.alerts.ports import Undelivered
from assay.challenges.ports import CodeMessage, Contact
from assay.challenges.texts import short_text_of

TIMEOUT_S = 10.0
"""For one call. It is made once: who does not answer may have sent the message."""
WAIT_S = 5.0
"""After too many: SNS counts them by the second, and others wait as well."""
_TRANSACTIONAL = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
"""Sent before what is promotional, also at night and to whoever wants no advertising."""
_THROTTLED = frozenset({"Throttled", "Throttling", "ThrottledException", "ThrottlingException", "KMSThrottling"})
_FOR_GOOD = frozenset({"InvalidParameter", "ParameterValueInvalid", "OptedOut", "ValidationException"})
"""About this telephone or message. All else is about us or the service, and may pass."""


class SmsSender:
    """To the contact's telephone."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "sns", made with `clients.patient(TIMEOUT_S, attempts=1)`."""
        self._client = client

    def channel(self, contact: Contact | None) -> str | None:
        """Text messages, with a telephone."""
        return None if contact is None or contact.phone is None else "sms"

    async def send(self, message: CodeMessage, contact: Contact | None) -> None:
        """Raises `Undelivered`."""
        if contact is None or contact.phone is None:
            raise Undelivered("no telephone", is_permanent=True)
        text = short_text_of(message)
        try:
            await self._client.publish(PhoneNumber=contact.phone, Message=text, MessageAttributes=_TRANSACTIONAL)
        except FAILURES as error:
            code = code_of(error)
            wait_s = WAIT_S if code in _THROTTLED else 0.0
            raise Undelivered(f"SNS {code}", is_permanent=code in _FOR_GOOD, wait_s=wait_s) from error
