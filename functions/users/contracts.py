"""What the routes of users and service clients take and give."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from assay.identity.records import Status
from assay.identity.scopes import Role
from assay.schemas.base import Contract, Token

EMAIL = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$"
"""What HTML takes for an address, and at least one dot in the domain. Whether it exists, a mail would have to show."""
PRINTABLE = r"^[^\x00-\x1F\x7F-\x9F\u2028\u2029\u202A-\u202E\u2066-\u2069]+$"
"""One line that reads as it is written: no control characters, nothing that turns the direction of text."""


def _email(value: str) -> str:
    if not re.fullmatch(EMAIL, value):
        raise PydanticCustomError("email", "Input should be an e-mail address")
    return value


Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_email),
    WithJsonSchema({"type": "string", "maxLength": 254, "pattern": EMAIL}),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=PRINTABLE)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""As typed to prove who one is. A new one is looked at more closely (`passwords.checked`)."""
RefreshToken = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Registration(Contract):
    """Somebody asks to be let in."""

    email: Email
    password: Annotated[Password, Field(description="12 to 128 characters, not your e-mail address")]
    name: Name


class Registered(Contract):
    """The same to everybody: it does not tell whether the address was known."""

    status: Literal["pending"] = "pending"
    detail: str = "If the address is new, an admin has to activate the account before it can be used"


class Login(Contract):
    """E-mail address and password."""

    email: Email
    password: Password


class Refresh(Contract):
    """The newest refresh token of a session."""

    refresh_token: RefreshToken


class PasswordChange(Contract):
    """The password as it is and as it shall be."""

    current_password: Password
    new_password: Annotated[Password, Field(description="12 to 128 characters, not your e-mail address")]


class UserChange(Contract):
    """What an admin changes of a user; what is absent stays."""

    role: Annotated[Role, Field(strict=False)] | None = None
    status: Literal["active", "disabled"] | None = None


class NewClient(Contract):
    """A service client to be."""

    client_id: Token
    scopes: Annotated[list[str], Field(min_length=1, max_length=20)]


class ClientChange(Contract):
    """What an admin changes of a service client; what is absent stays. Either way its tokens so far are void."""

    scopes: Annotated[list[str], Field(min_length=1, max_length=20)] | None = None
    status: Literal["active", "disabled"] | None = None


class AccessToken(Contract):
    """An access token and what it allows."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int
    """Seconds."""
    scope: str


class Tokens(AccessToken):
    """The tokens of a session. The refresh token is good once."""

    refresh_token: str
    refresh_expires_in: int
    """Seconds, unless it is used before."""


class UserView(Contract):
    """A user as admins see it, and as it sees itself."""

    id: str
    email: str
    name: str
    role: Role
    status: Status
    created_at: datetime
    scopes: list[str]


class UserPage(Contract):
    """Users by id; `next` is the `after` of the next page, null on the last."""

    users: list[UserView]
    next: str | None


class ClientView(Contract):
    """A service client."""

    client_id: str
    scopes: list[str]
    status: Status
    created_at: datetime


class ClientPage(Contract):
    """Service clients by id; `next` is the `after` of the next page, null on the last."""

    clients: list[ClientView]
    next: str | None


class ClientSecret(ClientView):
    """A service client and its new secret, which is shown this once."""

    client_secret: str
