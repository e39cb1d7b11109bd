"""What people would have got from AWS: moto keeps it, in this process."""

from __future__ import annotations

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

REGION = "us-east-1"


def text_messages() -> list[tuple[str, str]]:
    """Telephone and text of every text message so far, oldest first."""
    return list(get_backend("sns")[DEFAULT_ACCOUNT_ID][REGION].sms_messages.values())


def mails() -> list[tuple[list[str], bytes]]:
    """Recipients and content of every raw mail so far, oldest first."""
    sent = get_backend("ses")[DEFAULT_ACCOUNT_ID][REGION].sent_messages
    return [(mail.destinations, mail.raw_data.encode()) for mail in sent if hasattr(mail, "raw_data")]
