"""What is known of who pays besides the profile: denied, trusted, approved unseen. Read while the stages score."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from assay.errors import StorageError
from assay.labels.ports import NOTHING_KNOWN, Standing, Standings
from assay.ports import DecisionStore, DenyList
from assay.schemas.stages import StandInUsage
from functions.orchestrator.case import Case

log = logging.getLogger(__name__)
NOTHING_USED = StandInUsage()
DENY_LIST_SHARE = 0.9
"""Of the deadline."""


@dataclass(frozen=True, slots=True)
class Known:
    """Of one transaction."""

    usage: StandInUsage
    """What the account was approved lately while parts were missing."""
    standing: Standing | None
    """None: it cannot be read, so a part is missing."""


class Knowledge:
    """Asks the stores that know."""

    def __init__(self, decisions: DecisionStore, deny_list: DenyList | None, standings: Standings | None) -> None:
        self._decisions = decisions
        self._deny_list = deny_list
        self._standings = standings

    async def of(self, case: Case) -> Known | StorageError:
        """A fault that leaves no verdict is returned, not raised: who asked may have given up by then."""
        account = case.submission.transaction.account
        try:
            usage = await self._decisions.stand_in_usage(account) if account else NOTHING_USED
            return Known(usage, await self._standing(case, account))
        except StorageError as error:
            return error

    async def _standing(self, case: Case, account: str | None) -> Standing | None:
        """Whether it is denied, by the policy, a frozen account or a label; whether a label makes it trusted."""
        listed = case.by.settings.deny_list
        if listed and not listed.isdisjoint(case.tokens()):
            return Standing(is_denied=True)
        if account is None:
            return NOTHING_KNOWN
        try:
            async with asyncio.timeout(case.until(DENY_LIST_SHARE) - case.by.client.clock()):
                if self._deny_list is not None and await self._deny_list.denies(account):
                    return Standing(is_denied=True)
                return NOTHING_KNOWN if self._standings is None else await self._standings.standing(case.labelled())
        except (StorageError, TimeoutError) as error:
            if case.by.settings.strict:
                raise StorageError(f"deny list: {error or 'no time'}") from error
            log.warning("decided without the deny list: %s", str(error) or "no time")
            return None
