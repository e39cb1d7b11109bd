"""The function on AWS: over its table, with the configuration as it is in the bucket."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from assay import moments
from assay.adapters.archives import open_archive
from assay.adapters.aws.alerts import DynamoAlertStore
from assay.adapters.aws.clients import Clients, patient
from assay.alerts.config import SECRETS_MANAGER, AlertsConfig, Condition, Route, load_config
from assay.alerts.ports import Mailer
from assay.alerts.records import NewAlert
from assay.errors import AssayError
from assay.schemas.stages import Decision
from functions.alerts.bootstrap import Settings, open_channels, open_mailer
from functions.alerts.delivery import Delivery
from functions.alerts.routing import Router

if TYPE_CHECKING:
    from starlette.applications import Starlette

log = logging.getLogger(__name__)
FRESH_S = 60.0
"""How old the configuration may be."""
SES = "ses:"
_DECLINED = Route.model_construct(name="declined", when=[Condition(decisions=[Decision.DECLINE])])
_NOT_TAKEN = Route.model_construct(name="card-orders", when=[Condition(events=["card_order.dead"])])
UNATTENDED = AlertsConfig.model_construct(routes=[_DECLINED, _NOT_TAKEN])
"""What holds until there is an alerts.yaml: the same is recorded as by default, and nobody told, for nobody is known.

Not checked: a file that tells nobody is a mistake.
"""


class Function:
    """What the entry point does. It belongs to one event loop, and lives as long as the process."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        dynamodb: Any,  # noqa: ANN401 - made at run time
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = DynamoAlertStore(dynamodb, settings.alerts_table)
        self._settings = settings
        self._clients = clients
        self._opened = {"dynamodb": dynamodb}
        self._clock = clock
        folder, _, self._file = settings.alerts.rpartition("/")
        self._folder = open_archive(folder)
        self._config: AlertsConfig | None = None
        self._router = Router(UNATTENDED)
        self._read_at = 0.0

    async def refresh(self) -> AlertsConfig:
        """The configuration. One that cannot be read, or must not be used, leaves the one from before in its place.

        Raises `AlertsError` and `StorageError` while there is none from before.
        """
        if self._config is None or self._clock() - self._read_at >= FRESH_S:
            asked_at = self._clock()
            try:
                self._use(await self._folder.get(self._file))
            except AssayError as error:
                if self._config is None:
                    raise
                log.error("the alerts' configuration stays as it was: %s", error)
            self._read_at = asked_at
        assert self._config is not None  # noqa: S101 - read, or raised
        return self._config

    def read(self, body: bytes) -> list[NewAlert]:
        """The alerts that an event gives rise to, by the configuration. Raises `PoisonEvent`."""
        return list(self._router.alerts(body, moments.now()))

    async def deliver(self, may_go_on: Callable[[], bool]) -> int:
        """Sends what is due; how many attempts that took. Raises `AssayError`."""
        config = await self.refresh()
        async with AsyncExitStack() as opened:
            environment = {**os.environ, **await self._secrets_of(config)}
            mailer, sender = await self._mailer(), self._settings.mail_from
            channels = await open_channels(config, mailer, sender, opened, environment)
            return await Delivery(self.store, channels).run(may_go_on)

    async def app(self) -> Starlette:
        """Serves the routes. Raises `SettingsError` without the keys of tokens: alerts do not wait for them."""
        from assay.adapters.aws.access import open_access
        from assay.http.application import application
        from functions.alerts.app import Api, routes

        access = await open_access(self._settings, self._opened["dynamodb"])
        return application(routes(Api(self.store, access)))

    def _use(self, text: bytes | None) -> None:
        config = UNATTENDED if text is None else load_config(text, self._file)
        if config != self._config:
            self._config, self._router = config, Router(config)

    async def _mailer(self) -> Mailer:
        if self._settings.mail != SES:
            return open_mailer(self._settings.mail)
        from assay.adapters.aws.mail import TIMEOUT_S, SesMailer

        return SesMailer(await self._client("sesv2", patient(TIMEOUT_S, attempts=1)))

    async def _secrets_of(self, config: AlertsConfig) -> dict[str, str]:
        """The secrets that webhooks are signed with and Secrets Manager keeps, by their ARNs, as they are now."""
        places = [place for webhook in config.webhooks.values() for place in webhook.secrets]
        arns = [place.removeprefix(SECRETS_MANAGER) for place in places if place.startswith(SECRETS_MANAGER)]
        if not arns:
            return {}
        from assay.adapters.aws.secrets import read_secrets

        return await read_secrets(await self._client("secretsmanager"), arns)

    async def _client(self, service: str, config: Any = None) -> Any:  # noqa: ANN401 - made at run time
        """Opened when it is needed: what only records needs none but the table's."""
        if service not in self._opened:
            self._opened[service] = await self._clients.open(service, config)
        return self._opened[service]


async def open_function(settings: Settings, undo: AsyncExitStack) -> Function:
    """The function over what the settings name; `undo` closes it."""
    clients = Clients()
    undo.push_async_callback(clients.close)
    return Function(settings, clients, await clients.open("dynamodb"))
