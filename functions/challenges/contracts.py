"""What the routes of challenges, contacts and authenticator apps take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from assay.alerts.config import Address
from assay.challenges.records import ChallengeStatus, Delivery, Method
from assay.schemas.base import Contract, Token
from assay.schemas.fields import Amount, Currency
from assay.schemas.stages import Decision

E164 = r"^\+[1-9][0-9]{6,14}$"
Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class Verification(Contract):
    """What the customer typed, and once more what it confirms: both have to be right."""

    account_id: Token
    amount: Amount
    currency: Currency
    counterparty_id: Annotated[Token | None, Field(description="As in the transaction; absent if it had none.")] = None
    code: Code


class Verified(Contract):
    """The end of a challenge."""

    status: ChallengeStatus
    decision: Decision = Field(description="The final one on the transaction.")


class ChallengeView(Contract):
    """A challenge as it stands."""

    id: str
    client_id: str
    transaction_id: str
    account_id: str
    method: Method
    status: ChallengeStatus
    delivery: Delivery = Field(description="What became of the newest code.")
    decision: Decision | None = Field(description="The final one on the transaction; null while pending.")
    tries_left: int
    expires_at: datetime
    sent_at: datetime | None = Field(description="When a code was last sent.")


class ContactDetails(Contract):
    """Where the account's customer is reached: by e-mail, by phone, or both."""

    email: Address | None = None
    phone: Annotated[str, StringConstraints(pattern=E164), Field(description="E.164, with the plus.")] | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if self.email is None and self.phone is None:
            raise PydanticCustomError("missing", "Either `email` or `phone` is needed")
        return self


class Enrolled(Contract):
    """A new authenticator app's secret. It is shown this once."""

    uri: str = Field(description="`otpauth://totp/...`, to be shown to the customer as a QR code.")


class Confirmation(Contract):
    """A first code of a new authenticator app."""

    code: Code
