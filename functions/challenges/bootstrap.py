"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

import assay.settings
from assay import moments
from assay.challenges.ports import ChallengeStore, FactorStore, OtpSender
from assay.policy import ChallengeLimits
from assay.sealing import InstallationKey
from functions.challenges.apps import Apps
from functions.challenges.contacts import Contacts
from functions.challenges.sending import Sending
from functions.challenges.service import Challenges

SENDER = "assay@localhost"


class Settings(assay.settings.AccessSettings):
    """What the environment says, on AWS."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder. The champion's policy holds."""
    challenges_table: str
    outbox_table: str
    events_topic: str
    """ARN."""
    installation_key: Annotated[str, StringConstraints(pattern=r"^secretsmanager:.+$")]
    """`secretsmanager:` and the ARN of the secret."""
    codes: str
    """`sns:` (text messages), `ses:` (mail), `sns:,ses:` (by what the contact has), or as `open_sender` takes it."""
    codes_from: str = SENDER
    """The address that mails with codes come from."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the function is made of."""

    challenges: Challenges
    contacts: Contacts
    apps: Apps


def open_sender(location: str, mail_from: str = SENDER, password: str = "") -> OtpSender:
    """Codes by mail over `smtp://[user@]host:port` or `smtps://..`, or into a folder. Raises `SettingsError`."""
    if location.startswith(("smtp://", "smtps://")):
        from assay.adapters.local.mail import SmtpMailer
        from assay.challenges.mail import MailSender

        return MailSender(SmtpMailer.at(location, password), mail_from)
    from assay.adapters.local.otp import MailboxSender

    return MailboxSender(Path(location))


def build(
    store: ChallengeStore,
    factors: FactorStore,
    sender: OtpSender,
    key: InstallationKey,
    limits: ChallengeLimits,
    now: Callable[[], int] = moments.now,
) -> Parts:
    """The parts over the given stores, sender and key."""
    contacts, apps = Contacts(factors, key), Apps(factors, key, now)
    sending = Sending(store, contacts, sender, key, limits, now)
    return Parts(Challenges(store, apps, sending, key, limits, now), contacts, apps)
