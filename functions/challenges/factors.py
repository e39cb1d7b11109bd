"""How customers are reached, and their authenticator apps: an account's, as one client knows it."""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import asdict

from assay.challenges import totp
from assay.challenges.ports import Contact, FactorStore
from assay.challenges.records import Enrolment
from assay.problems import Problem, unavailable
from assay.schemas.event import Event
from assay.sealing import InstallationKey, SealError

log = logging.getLogger(__name__)
ISSUER = "Assay"


class Factors:
    """Seals and opens. All of it raises `StorageError`."""

    def __init__(self, store: FactorStore, key: InstallationKey, issuer: str = ISSUER) -> None:
        """`issuer`: what authenticator apps show above the account."""
        self._store = store
        self._key = key
        self._issuer = issuer

    async def put_contact(self, client_id: str, account_id: str, contact: Contact) -> None:
        """In the place of the one before."""
        sealed = self._key.seal(json.dumps(asdict(contact)).encode(), "contact", client_id, account_id)
        channels = [name for name, value in asdict(contact).items() if value is not None]
        event = Event.now("contact.changed", client_id, account_id=account_id, channels=channels)
        await self._store.put_contact(client_id, account_id, sealed, event)

    async def contact(self, client_id: str, account_id: str) -> Contact | None:
        """None too when it cannot be opened; that is logged."""
        sealed = await self._store.contact(client_id, account_id)
        if sealed is None:
            return None
        try:
            return Contact(**json.loads(self._key.open(sealed, "contact", client_id, account_id)))
        except SealError as error:
            log.error("a contact of %s: %s", client_id, error)
            return None

    async def enrol(self, client_id: str, account_id: str) -> str:
        """The URI of a new secret. Raises `Problem` 409 when the account has an app."""
        secret = totp.new_secret()
        sealed = self._key.seal(secret, "totp", client_id, account_id)
        enrolment = Enrolment(f"tot_{secrets.token_hex(12)}", client_id, account_id, sealed)
        if not await self._store.enrol(enrolment, Event.now("totp.enrolled", client_id, account_id=account_id)):
            raise Problem(409, "enrolled", "The account has an authenticator app; remove it first")
        return totp.uri(secret, self._issuer, account_id)

    async def remove(self, client_id: str, account_id: str) -> None:
        """Raises `Problem` 404 when there is none."""
        event = Event.now("totp.removed", client_id, account_id=account_id)
        if not await self._store.remove_enrolment(client_id, account_id, event):
            raise Problem(404, "not_enrolled", "The account has no authenticator app")

    async def enrolment(self, client_id: str, account_id: str) -> Enrolment | None:
        """The account's app, its secret sealed."""
        return await self._store.enrolment(client_id, account_id)

    def secret(self, enrolment: Enrolment) -> bytes:
        """The app's secret. Raises `Problem` 503."""
        try:
            return self._key.open(enrolment.sealed, "totp", enrolment.client_id, enrolment.account_id)
        except SealError as error:
            log.error("an authenticator app of %s: %s", enrolment.client_id, error)
            raise unavailable("installation_key", "The authenticator app's secret cannot be opened") from None
