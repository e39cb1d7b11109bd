"""Step-up challenges in the embedded installation: all of the function, and the task that lets challenges expire."""

from __future__ import annotations

from starlette.routing import Route

from assay.adapters.sqlite.challenges import SqliteChallengeStore, SqliteFactorStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.challenges.ports import OtpSender
from assay.identity.access import Access
from assay.policy import Policy
from assay.release import Release
from assay.sealing import InstallationKey
from functions.challenges.app import Api, routes
from functions.challenges.bootstrap import build
from functions.challenges.consumer import ChallengeOpener
from local.background import Periodic

SWEEP_S = 1.0
"""Between looks at what is overdue."""


class Challenges:
    """Opens challenges, answers for them, ends them. `start` it, `stop` it."""

    def __init__(
        self, release: Release, ledger: SqliteLedger, sender: OtpSender, key: InstallationKey, access: Access
    ) -> None:
        limits = Policy.of(release).challenge
        parts = build(SqliteChallengeStore(ledger), SqliteFactorStore(ledger), sender, key, limits)
        self.service = parts.challenges
        self.opener = ChallengeOpener(parts.challenges)
        self.routes: list[Route] = routes(Api(parts.challenges, parts.contacts, parts.apps, access))
        self._sweeping = Periodic("challenges that are overdue", parts.challenges.sweep, SWEEP_S)

    def start(self) -> None:
        """Begins sweeping in the running event loop."""
        self._sweeping.start()

    async def stop(self) -> None:
        """Stops where it is; the next start goes on."""
        await self._sweeping.stop()
