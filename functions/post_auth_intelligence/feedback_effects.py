"""What follows from labels: the profile's count of confirmed fraud, tokens that are denied or trusted for a while.

It follows from the labelling as it is, not from the event: events may come late, twice and in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.features.windows import HOUR
from assay.labels.ports import Effect, EffectStore, LabelledProfile, LabelStore
from assay.labels.records import Label, Opinion, Subject
from assay.policy import Feedback as Policy
from assay.ports import OutboxEvent
from functions.post_auth_intelligence.events import LABEL_RECORDED, Labelled, read_labelled


class LabelEffects:
    """Consumer of `label.recorded`. Idempotent."""

    name = "label_effects"
    kinds: frozenset[str] | None = frozenset({LABEL_RECORDED})

    def __init__(self, labels: LabelStore, profile: LabelledProfile, effects: EffectStore, policy: Policy) -> None:
        self._labels = labels
        self._profile = profile
        self._effects = effects
        self.policy = policy
        """Of the release that decides: another may be set at any time."""

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Brings everything about the events' transactions up to date. Raises `PoisonEvent`, `StorageError`."""
        await self.follow([read_labelled(event.body) for event in events])

    async def follow(self, labelled: Sequence[Labelled]) -> None:
        """The same, of events that were read. Raises `StorageError`."""
        for client_id, transaction_id in dict.fromkeys(labelled):
            labelling = await self._labels.get(client_id, transaction_id)
            if labelling is None or (current := labelling.current) is None:
                continue
            is_fraud = current.label is Label.FRAUD_CONFIRMED
            await self._profile.record_label(client_id, transaction_id, is_fraud=is_fraud)
            effects = list(effects_of(labelling.subject, current, self.policy))
            await self._effects.replace(client_id, transaction_id, effects)


def effects_of(subject: Subject, current: Opinion, policy: Policy) -> Iterator[Effect]:
    """What the policy makes of a label that is in effect."""
    since = current.counts_since or current.at
    if current.label is Label.FALSE_POSITIVE and subject.account is not None and policy.trust_hours is not None:
        yield Effect("trust", "account", subject.account, since + policy.trust_hours * HOUR)
    if current.label is not Label.FRAUD_CONFIRMED:
        return
    deny = policy.deny
    if subject.device is not None and deny.device_hours is not None:
        yield Effect("deny", "device", subject.device, since + deny.device_hours * HOUR)
    if subject.account is not None and deny.account_hours is not None:
        yield Effect("deny", "account", subject.account, since + deny.account_hours * HOUR)
    if subject.counterparty is not None and deny.counterparty_hours is not None:
        yield Effect("deny", "counterparty", subject.counterparty, since + deny.counterparty_hours * HOUR)
