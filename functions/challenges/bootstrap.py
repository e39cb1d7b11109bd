"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from assay import moments
from assay.challenges.ports import ChallengeStore, FactorStore, OtpSender
from assay.identity.access import Access
from assay.policy import ChallengeLimits
from assay.sealing import InstallationKey
from functions.challenges.app import Api
from functions.challenges.factors import Factors
from functions.challenges.sending import Sending
from functions.challenges.service import Challenges

SENDER = "assay@localhost"


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
    access: Access,
    now: Callable[[], int] = moments.now,
) -> Api:
    """What `routes` serves, over the given stores, sender and key; its `challenges` are for consumer and sweep."""
    known = Factors(factors, key)
    sending = Sending(store, known, sender, key, limits, now)
    return Api(Challenges(store, known, sending, key, limits, now), known, access)
