"""What the API answers about labels."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from assay.identity.tokens import Principal
from assay.labels.records import Label, Labelling, Opinion, Outcome
from assay.labels.step_ups import StepUp, StepUpOutcome
from assay.moments import moment
from assay.schemas.base import Contract


class OpinionView(Contract):
    """What somebody said of a transaction."""

    label: Label
    by: str
    received_at: datetime
    labelled_at: datetime
    note: str
    counts_since: datetime | None = Field(description="Null: it waits until another person says the same.")
    confirmed_by: str | None = Field(description="The other person, where one was needed.")


class LabelAnswer(Contract):
    """What became of a label."""

    client_id: str
    transaction_id: str
    outcome: Outcome
    label: Label | None = Field(description="In effect now; null while all wait.")


class Labels(Contract):
    """What was said of a transaction: a client sees what it said itself, a person everything."""

    client_id: str
    transaction_id: str
    label: Label | None = Field(description="In effect now; null while there is none.")
    opinions: list[OpinionView] = Field(description="As they came.")


class StepUpView(Contract):
    """How the customer came out of the step-up: weak evidence, and no label."""

    outcome: Annotated[StepUpOutcome, Field(strict=False)]
    at: datetime


class Everything(Labels):
    """What is known of a transaction besides its decision."""

    step_up: StepUpView | None = Field(description="Null: it was not challenged, or that has not come to its end.")


class WaitingPage(Contract):
    """Transactions with a label that waits for a second person, longest first."""

    labels: list[Labels]
    next: str | None = Field(description="For `after`, to go on; null when there are no more.")


def labels_view(labelling: Labelling, principal: Principal) -> Labels:
    """What the principal may see of it."""
    current, subject = labelling.current, labelling.subject
    shown = [one for one in labelling.opinions if principal.role is not None or one.by == principal.subject]
    return Labels(
        client_id=subject.client_id,
        transaction_id=subject.transaction_id,
        label=None if current is None else current.label,
        opinions=[_opinion(one) for one in shown],
    )


def step_up_view(step_up: StepUp | None) -> StepUpView | None:
    """The same of a step-up, which everybody may see who may see the transaction."""
    return None if step_up is None else StepUpView(outcome=step_up.outcome, at=moment(step_up.at))


def _opinion(opinion: Opinion) -> OpinionView:
    return OpinionView(
        label=opinion.label,
        by=opinion.by,
        received_at=moment(opinion.at),
        labelled_at=moment(opinion.labelled_at),
        note=opinion.note,
        counts_since=None if opinion.counts_since is None else moment(opinion.counts_since),
        confirmed_by=opinion.confirmed_by,
    )
