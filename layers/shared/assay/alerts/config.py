"""alerts.yaml: who is told of what. Complete and strict, or refused with the key that is wrong."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from assay.alerts.records import MAIL
from assay.alerts.windows import Limits
from assay.errors import AssayError, SettingsError
from assay.features.windows import MINUTE
from assay.schemas.base import Contract, Probability, Token
from assay.schemas.event import TRANSACTION_SCORED, Kind
from assay.schemas.stages import Decision
from assay.validation import did_you_mean, validated
from assay.yaml_file import load_mapping

FILE = "alerts.yaml"
LINK = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", re.ASCII)

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Address = Annotated[
    str, StringConstraints(max_length=254, pattern=r"^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
]
"""Of a mailbox, without a display name. ASCII: not every mail server takes others."""
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)
SECRETS_MANAGER = "secretsmanager:"
_ARN = r"arn:[a-z0-9-]{1,32}:secretsmanager:[a-z0-9-]{1,32}:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]{1,519}"
SecretName = Annotated[
    str,
    StringConstraints(
        pattern=rf"^(env:[A-Z][A-Z0-9_]{{0,127}}|file:[^\s\x00]{{1,1024}}|{SECRETS_MANAGER}{_ARN})$",
    ),
]
"""Where a secret is: an environment variable, a file, or (on AWS) a secret of Secrets Manager, by its ARN.

The secret itself has no place in the configuration.
"""


class AlertsError(AssayError):
    """A configuration of alerts that must not be used. The message names the key."""


class Condition(Contract):
    """All that is given has to hold. Either about scored transactions, or naming other events."""

    decisions: Annotated[list[Annotated[Decision, Field(strict=False)]], Field(min_length=1)] | None = None
    min_fraud_score: Probability | None = None
    min_amount_base: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None
    """In the base currency. Without a rate the amount is unknown, and the condition does not hold."""
    rules: Annotated[list[Token], Field(min_length=1)] | None = None
    """Ids; one of them fired."""
    degraded: bool | None = None
    """The decision was made without some part, or (false) with all of them."""
    events: Annotated[list[Kind], Field(min_length=1)] | None = None
    """Kinds, like `keys.rotated`."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        given = self.model_fields_set
        if not given:
            raise PydanticCustomError("empty", "a condition that says nothing")
        if self.events is not None and len(given) > 1:
            raise PydanticCustomError("mixed", "events go alone: the other keys are about scored transactions")
        if self.events is not None and TRANSACTION_SCORED in self.events:
            raise PydanticCustomError("scored", f"{TRANSACTION_SCORED} is meant where decisions are named")
        return self


class Digest(Contract):
    """How many mails a route sends at most."""

    mails_per_window: Annotated[int, Field(ge=0, le=100)] = 5
    """About one alert each; the others wait for the window's end and go in one mail."""
    window_minutes: Annotated[int, Field(ge=1, le=1440)] = 5

    def limits(self) -> Limits:
        """As the store takes them."""
        return Limits(self.mails_per_window, self.window_minutes * MINUTE)


class Route(Contract):
    """Who is told when one of the conditions holds."""

    name: Name
    when: Annotated[list[Condition], Field(min_length=1)]
    to: Annotated[list[Address], Field(max_length=50)] = []
    """As many as SES takes in one mail."""
    webhooks: Annotated[list[Name], Field(max_length=20)] = []
    """Few enough that DynamoDB takes an alert with all its messages in one transaction."""
    digest: Digest = Digest()

    @model_validator(mode="after")
    def _tells_somebody(self) -> Self:
        if not self.to and not self.webhooks:
            raise PydanticCustomError("nobody", "a route needs `to` or `webhooks`")
        for key, names in (("to", [address.casefold() for address in self.to]), ("webhooks", self.webhooks)):
            if len(set(names)) != len(names):
                raise PydanticCustomError("twice", "{key} names somebody twice", {"key": key})
        return self


class Webhook(Contract):
    """Where a webhook is called, and what it is signed with."""

    url: Annotated[str, StringConstraints(max_length=2048)]
    secrets: Annotated[list[SecretName], Field(min_length=1, max_length=2)]
    """Two while the receiver changes from one to the other: both sign."""


class AlertsConfig(Contract):
    """The whole file."""

    link: str | None = None
    """Base URL of the API or the cockpit, put before `/decisions/...` in mails; None: no links."""
    allow_local_webhooks: bool = False
    """Lets webhooks go to plain HTTP, private addresses and any port."""
    webhooks: dict[Name, Webhook] = {}
    routes: Annotated[list[Route], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.link is not None and LINK.fullmatch(self.link) is None:
            raise PydanticCustomError("link", "link: should be an http(s) URL without user, query and fragment")
        if MAIL in self.webhooks:
            raise PydanticCustomError("mail", "webhooks.mail: the name is taken")
        for name, webhook in self.webhooks.items():
            self._check_url(name, webhook)
        names = [route.name for route in self.routes]
        for position, route in enumerate(self.routes):
            if route.name in names[:position]:
                raise PydanticCustomError("twice", "routes[{n}].name: given twice", {"n": position})
            for unknown in set(route.webhooks) - set(self.webhooks):
                hint = did_you_mean(unknown, self.webhooks)
                text = "routes[{n}].webhooks: no webhook {name}{hint}"
                raise PydanticCustomError("unknown", text, {"n": position, "name": unknown, "hint": hint})
        return self

    def _check_url(self, name: str, webhook: Webhook) -> None:
        from assay.webhooks.guard import checked_url  # an installation without webhooks needs no HTTP client

        try:
            checked_url(webhook.url, self.allow_local_webhooks)
        except ValueError as error:
            raise PydanticCustomError(
                "url", "webhooks.{name}.url: {fault}", {"name": name, "fault": str(error)}
            ) from None

    def kinds(self) -> frozenset[str]:
        """Of the events that some route is about."""
        return frozenset(
            kind
            for route in self.routes
            for condition in route.when
            for kind in condition.events or (TRANSACTION_SCORED,)
        )


def checked_address(text: str, name: str) -> str:
    """The mail address. Raises `SettingsError`, which names where it came from and repeats nothing."""
    try:
        return _ADDRESS.validate_python(text)
    except ValidationError:
        raise SettingsError(f"{name}: should be a plain mail address") from None


def default(link: str | None = None) -> AlertsConfig:
    """Without a file: what is declined, and what the card system would not take, goes to `duty@localhost`."""
    declined = Route(name="declined", when=[Condition(decisions=[Decision.DECLINE])], to=["duty@localhost"])
    not_taken = Route(name="card-orders", when=[Condition(events=["card_order.dead"])], to=["duty@localhost"])
    return AlertsConfig(link=link, routes=[declined, not_taken])


def load_config(text: bytes, name: str = FILE) -> AlertsConfig:
    """The configuration in a file. Raises `AlertsError`, naming the file and the key."""
    return validated(AlertsConfig, load_mapping(text, AlertsError, name), AlertsError, name)
