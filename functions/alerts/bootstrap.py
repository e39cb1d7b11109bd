"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import assay.settings
from assay.alerts.config import AlertsConfig, checked_address
from assay.alerts.ports import Mailer
from assay.alerts.records import MAIL
from functions.alerts.channels import Channel, Mails, WebhookCalls
from functions.alerts.mails import Writer


class Settings(assay.settings.AccessSettings):
    """What the environment says, on AWS."""

    alerts_table: str
    alerts: str
    """`s3://bucket/key` of alerts.yaml, or a file."""
    mail: str
    """`ses:`, or as `open_mailer` takes it."""
    mail_from: str
    """The address that mails come from."""


def open_mailer(location: str, password: str = "") -> Mailer:
    """`smtp://[user@]host:port`, `smtps://..`, or a folder. Raises `SettingsError`."""
    from assay.adapters.local.mail import FolderMailer, SmtpMailer

    if location.startswith(("smtp://", "smtps://")):
        return SmtpMailer.at(location, password)
    return FolderMailer(Path(location))


async def open_channels(
    config: AlertsConfig,
    mailer: Mailer,
    sender: str,
    opened: AsyncExitStack,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Channel]:
    """Mail and the webhooks of the configuration, for this event loop. `sender`: the address that mails come from.

    Raises `AlertsError` for a missing secret, `SettingsError` for the sender.
    """
    writer = Writer(checked_address(sender, "ASSAY_MAIL_FROM"), config.link)
    channels: dict[str, Channel] = {MAIL: Mails(writer, mailer)}
    if config.webhooks:
        from assay.webhooks.sender import WebhookSender
        from functions.alerts.calls import Calls, endpoints

        found = endpoints(config, environment)
        http = await opened.enter_async_context(WebhookSender(allow_local=config.allow_local_webhooks))
        calls = WebhookCalls(writer, Calls(found, http))
        channels |= dict.fromkeys(config.webhooks, calls)
    return channels
