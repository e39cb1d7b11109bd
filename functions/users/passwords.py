"""Passwords: which are taken, and argon2 in a thread that leaves the processor to scoring."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

from assay.identity.records import normal_email
from assay.problems import FieldError, Problem, unavailable

SHORTEST, LONGEST = 12, 128
DIFFERENT = 4
MAX_WAITING = 40
"""Hashes under way or waiting, some 25 ms each: who comes later is told to come again."""
NICENESS = 10
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)

Answer = TypeVar("Answer")


class Passwords:
    """Hashes and verifies, one at a time."""

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords", initializer=_give_way)
        self._waiting = 0
        self._nobodys = self._thread.submit(hasher.hash, secrets.token_hex())

    async def hash(self, password: str) -> str:
        """As it is kept. Raises `Problem` 503 when too many wait."""
        return await self._run(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether it is the password. Where there is none to compare with it takes as long. Raises `Problem` 503."""

        def work() -> bool:
            try:
                return self._hasher.verify(kept or self._nobodys.result(), _normal(password)) and kept is not None
            except (Argon2Error, InvalidHashError):
                return False

        return await self._run(work)

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        if self._waiting >= MAX_WAITING:
            raise unavailable("busy", "Too many passwords to look at")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


def check(password: str, email: str, field: str) -> None:
    """Whether it may be somebody's password. Raises `Problem` 422 that names the field."""
    normal = _normal(password)
    address = normal_email(email)
    if not SHORTEST <= len(normal) <= LONGEST:
        raise refused(field, "length", f"It should have {SHORTEST} to {LONGEST} characters")
    if normal_email(normal) in {address, address.partition("@")[0]}:
        raise refused(field, "email", "It should not be the e-mail address")
    if len(set(normal.casefold())) < DIFFERENT:
        raise refused(field, "repetitive", f"It should have {DIFFERENT} different characters at least")


def refused(field: str, code: str, detail: str) -> Problem:
    """422 for one field."""
    return Problem(422, "validation", f"Not valid: {field}", [FieldError(field, code, detail)])


def _normal(password: str) -> str:
    """Keyboards have several spellings of one character."""
    return unicodedata.normalize("NFKC", password)


def _give_way() -> None:
    """Of threads that want the processor at once, the others go first."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
