"""The function on AWS: over its table, by the policy of the release that decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from assay.adapters.aws.challenges import DynamoChallengeStore, DynamoFactorStore
from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.installation_key import read_installation_key
from assay.adapters.aws.table import open_table
from assay.challenges.ports import OtpSender
from assay.challenges.scored import Asked
from assay.errors import SettingsError
from assay.policy import Policy
from assay.release.champion import Champion
from functions.challenges.bootstrap import Parts, Settings, build, open_sender
from functions.challenges.consumer import ChallengeOpener

if TYPE_CHECKING:
    from starlette.applications import Starlette

SNS, SES = "sns:", "ses:"


class Function:
    """What the entry point does. It belongs to one event loop, and lives as long as the process."""

    def __init__(self, settings: Settings, parts: Parts, dynamodb: Any) -> None:  # noqa: ANN401 - made at run time
        self.parts = parts
        self._settings = settings
        self._dynamodb = dynamodb
        self._opener = ChallengeOpener(parts.challenges)

    async def open(self, asked: Sequence[Asked | None]) -> None:
        """Begins the challenges. Raises `StorageError`."""
        await self._opener.open(asked)

    async def sweep(self, may_go_on: Callable[[], bool]) -> int:
        """Ends those whose time is over, sends what was left; how many it were. Raises `StorageError`."""
        return await self.parts.challenges.sweep(may_go_on)

    async def app(self) -> Starlette:
        """Serves the routes. Raises `SettingsError` without the keys of tokens: nothing else waits for them."""
        from assay.adapters.aws.access import open_access
        from assay.http.application import application
        from functions.challenges.app import Api, routes

        access = await open_access(self._settings, self._dynamodb)
        return application(routes(Api(self.parts.challenges, self.parts.contacts, self.parts.apps, access)))


async def open_function(settings: Settings, champion: Champion, undo: AsyncExitStack) -> Function:
    """The function over what the settings name; `undo` closes it. Raises `AssayError` with the reason."""
    clients = Clients()
    undo.push_async_callback(clients.close)
    key = await read_installation_key(settings.installation_key, await clients.open("secretsmanager"))
    sender = await open_codes(settings, clients)
    place = (settings.challenges_table, settings.outbox_table, settings.events_topic)
    table = await open_table(clients, *place, "challenges")
    limits = Policy.of(champion.current()).challenge
    parts = build(DynamoChallengeStore(table), DynamoFactorStore(table), sender, key, limits)
    champion.follow_policy(parts.challenges.decide_by)
    return Function(settings, parts, table.client)


async def open_codes(settings: Settings, clients: Clients) -> OtpSender:
    """What brings codes to customers: a text message before a mail, where both are allowed. Raises `SettingsError`."""
    places = settings.codes.split(",")
    if not {SNS, SES}.issuperset(places):
        if len(places) > 1:
            raise SettingsError("ASSAY_CODES: several are `sns:` and `ses:`, with a comma between them")
        return open_sender(settings.codes, settings.codes_from)
    from functions.challenges.senders import FirstThatReaches

    opened = {SNS: _open_sms, SES: _open_mail}
    return FirstThatReaches([await open_(settings, clients) for place, open_ in opened.items() if place in places])


async def _open_sms(_: Settings, clients: Clients) -> OtpSender:
    from assay.adapters.aws.sms import TIMEOUT_S, SmsSender

    return SmsSender(await clients.open("sns", patient(TIMEOUT_S, attempts=1)))


async def _open_mail(settings: Settings, clients: Clients) -> OtpSender:
    from assay.adapters.aws.mail import TIMEOUT_S, SesMailer
    from assay.alerts.config import checked_address
    from assay.challenges.mail import MailSender

    sender = checked_address(settings.codes_from, "ASSAY_CODES_FROM")
    return MailSender(SesMailer(await clients.open("sesv2", patient(TIMEOUT_S, attempts=1))), sender)
