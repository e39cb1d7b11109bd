"""Alerts in the embedded installation: its configuration, and the tasks that send."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from assay import moments
from assay.adapters.sqlite.alerts import SqliteAlertStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.alerts.config import FILE, AlertsConfig, AlertsError, default, load_config
from assay.alerts.ports import Mailer
from assay.release import Release
from assay.rules.ruleset import FILE as RULES
from assay.rules.ruleset import RuleSet
from assay.validation import did_you_mean
from functions.alerts import bootstrap
from functions.alerts.consumer import AlertRecorder
from functions.alerts.delivery import Delivery
from local.background import Periodic
from local.ledger import with_ledger

IDLE_S = 1.0
"""Between looks at what is due."""


class Alerts:
    """Records alerts and sends them. `start` it, `stop` it."""

    def __init__(self, config: AlertsConfig, mailer: Mailer, sender: str, ledger: SqliteLedger) -> None:
        """`sender`: what mails come from."""
        self.store = SqliteAlertStore(ledger)
        self.recorder = AlertRecorder(self.store, config)
        self._config = config
        self._mailer = mailer
        self._sender = sender
        self._opened = AsyncExitStack()
        self._sending: list[Periodic] = []

    async def start(self) -> None:
        """Begins sending. Raises `AlertsError` for a secret that is not there."""
        channels = await bootstrap.open_channels(self._config, self._mailer, self._sender, self._opened)
        delivery = Delivery(self.store, channels)
        # A task per channel, so that a slow one holds nobody else up.
        self._sending = [
            Periodic(f"alerts on {channel}", partial(delivery.run_channel, channel), IDLE_S)
            for channel in delivery.channels
        ]
        for sending in self._sending:
            sending.start()

    async def stop(self) -> None:
        """Stops where it is: what is on its way will be sent again, with the same id."""
        for sending in self._sending:
            await sending.stop()
        await self._opened.aclose()


def read_config(path: Path | None, folder: Path, link: str) -> AlertsConfig:
    """The file, else that of the folder, else the default with links to this address. Raises `AlertsError`."""
    if path is None and not (folder / FILE).exists():
        return default(link)
    return _read(path or folder / FILE)


def check(path: Path, release: Release) -> str:
    """A line about the file. Raises `AlertsError`; also for a rule that the release does not have, or a secret."""
    from functions.alerts.calls import endpoints

    config = _read(path)
    rules = [rule.id for rule in RuleSet.load(release.read(RULES)).rules]
    for n, route in enumerate(config.routes):
        for m, condition in enumerate(route.when):
            for unknown in set(condition.rules or ()).difference(rules):
                hint = did_you_mean(unknown, rules)
                raise AlertsError(
                    f"{path.name}: routes[{n}].when[{m}].rules: no rule {unknown} in {release.version}{hint}"
                )
    endpoints(config)
    return f"{path}: {len(config.routes)} routes and {len(config.webhooks)} webhooks are good"


def redrive(database: Path) -> int:
    """Makes the dead messages pending; a server that is running sends them. Raises `StorageError`."""
    return with_ledger(database, lambda ledger: SqliteAlertStore(ledger).redrive(moments.now()))


def _read(path: Path) -> AlertsConfig:
    try:
        return load_config(path.read_bytes(), path.name)
    except OSError as error:
        raise AlertsError(f"{path}: cannot be read: {error.strerror}") from error
