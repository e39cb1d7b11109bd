"""How customers are reached: an account's contact, as one client knows it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict

from assay.challenges.ports import Contact, FactorStore
from assay.problems import Problem
from assay.schemas.event import Event
from assay.sealing import InstallationKey, SealError

log = logging.getLogger(__name__)


class Contacts:
    """Seals and opens. All of it raises `StorageError`."""

    def __init__(self, store: FactorStore, key: InstallationKey) -> None:
        self._store = store
        self._key = key

    async def put(self, client_id: str, account_id: str, contact: Contact) -> None:
        """In the place of the one before."""
        sealed = self._key.seal(json.dumps(asdict(contact)).encode(), "contact", client_id, account_id)
        channels = [name for name, value in asdict(contact).items() if value is not None]
        event = Event.now("contact.changed", client_id, account_id=account_id, channels=channels)
        await self._store.put_contact(client_id, account_id, sealed, event)

    async def remove(self, client_id: str, account_id: str) -> None:
        """Raises `Problem` 404 when there is none."""
        event = Event.now("contact.removed", client_id, account_id=account_id)
        if not await self._store.remove_contact(client_id, account_id, event):
            raise Problem(404, "no_contact", "The account has no contact")

    async def find(self, client_id: str, account_id: str) -> Contact | None:
        """None too when it cannot be opened; that is logged."""
        sealed = await self._store.contact(client_id, account_id)
        if sealed is None:
            return None
        try:
            return Contact(**json.loads(self._key.open(sealed, "contact", client_id, account_id)))
        except SealError as error:
            log.error("a contact of %s: %s", client_id, error)
            return None
