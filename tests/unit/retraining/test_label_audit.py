"""Labels that are odd are found, by whom and where; honest ones are left in peace."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.intelligence.retraining_policy import Labels
from training.retraining.label_audit import LabelAudit, audit
from training.retraining.said import NOBODY, Said
from training.split import DAY
from training.table import CATEGORIES, NUMERIC, FeatureTable

ROWS, FRAUDS, DAYS = 2_000, 200, 60
LIMITS = Labels(min_frauds=100)
START = 19_000
"""The first day, since the epoch."""
Rows = NDArray[np.int64]


def bank(seed: int = 1, rows: int = ROWS, frauds: int = FRAUDS) -> tuple[FeatureTable, Said]:
    """Frauds come fast and after failed logins, nine in ten of them; everybody labels, and some alarms were false."""
    random = np.random.default_rng(seed)
    fraud = np.zeros(rows, dtype=np.bool_)
    fraud[random.choice(rows, frauds, replace=False)] = True
    shows = fraud & (random.random(rows) < 0.95)
    numeric = {name: random.normal(size=rows) for name in NUMERIC}
    numeric["amount"] = np.round(random.lognormal(3.0, 1.0, rows), 2)
    numeric["hour_of_day"] = random.uniform(0, 24, rows)
    for name in ("tx_count_last_5m", "failed_login_count_last_1h"):
        numeric[name] = random.normal(size=rows) + 4 * shows
    categories: dict[str, list[str | None]] = {name: list(random.choice(["a", "b"], rows)) for name in CATEGORIES}
    times = START * DAY + np.sort(random.uniform(0, DAYS * DAY, rows))
    table = FeatureTable(numeric, categories, times, fraud, np.where(fraud, times + DAY, np.nan), [None] * rows)
    told = fraud | (random.random(rows) < 0.01)
    sender = np.where(told, random.choice(["ana", "ben", "cem", "shop"], rows), NOBODY)
    return table, Said(told, sender, np.where(told, times // DAY + 1, -1).astype(np.int64))


def say(table: FeatureTable, said: Said, rows: Rows, fraud: bool, day: int | None = None) -> tuple[FeatureTable, Said]:
    """Eve says so; on one day, or on the day after each."""
    labels, told, sender, days = (each.copy() for each in (table.labels, said.labelled, said.sender, said.day))
    labels[rows], told[rows], sender[rows] = fraud, True, "eve"
    days[rows] = (table.times[rows] // DAY + 1) if day is None else day
    return replace(table, labels=labels), Said(told, sender, days)


def looked(table: FeatureTable, said: Said, limits: Labels = LIMITS) -> LabelAudit:
    return audit(table, np.ones(len(table), dtype=np.bool_), said, limits)


def some(mask: NDArray[np.bool_], count: int) -> Rows:
    return np.random.default_rng(9).choice(np.flatnonzero(mask), count, replace=False)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_honest_labels_are_left_in_peace(seed: int) -> None:
    found = looked(*bank(seed))
    assert found.reasons == []
    assert (found.rows, found.frauds) == (ROWS, FRAUDS)
    assert found.places > 10


def test_frauds_cleared_on_one_day() -> None:
    table, said = bank()
    found = looked(*say(table, said, some(table.labels, 40), fraud=False, day=START + DAYS))
    assert any("labels: eve on 2022-03-09: " in reason for reason in found.reasons), found.reasons
    assert {each.where for each in found.found if each.kind == "cleared"} == {"eve", "eve on 2022-03-09"}


def test_frauds_cleared_one_by_one() -> None:
    """No day of it is odd by itself; the sender is."""
    table, said = bank()
    found = looked(*say(table, said, some(table.labels, 40), fraud=False))
    assert [each.where for each in found.found] == ["eve"]


def test_customers_accused() -> None:
    table, said = bank()
    found = looked(*say(table, said, some(~table.labels, 40), fraud=True))
    assert [(each.kind, each.where) for each in found.found] == [("accused", "eve")]
    assert found.overall[0].is_odd


def test_labels_flipped_by_everybody() -> None:
    """No sender differs from the others; all together are odd."""
    table, said = bank()
    accused, cleared = some(~table.labels, 40), some(table.labels, 40)
    sender = said.sender.copy()
    sender[accused] = np.random.default_rng(2).choice(["ana", "ben", "cem", "shop"], 40)
    labels, told, days = table.labels.copy(), said.labelled.copy(), said.day.copy()
    labels[accused], labels[cleared], told[accused] = True, False, True
    days[accused] = table.times[accused] // DAY + 1
    found = looked(replace(table, labels=labels), Said(told, sender, days))
    assert found.found == []
    assert [each.kind for each in found.overall if each.is_odd] == ["accused", "cleared"]
    assert "4.0% are borne" in found.reasons[0]


def at_a_kiosk(table: FeatureTable, rows: Rows) -> FeatureTable:
    """These happened there."""
    chosen = set(rows.tolist())
    channels = ["kiosk" if row in chosen else value for row, value in enumerate(table.categories["channel"])]
    return replace(table, categories=table.categories | {"channel": channels})


@pytest.mark.parametrize("feature", ["amount", "channel"])
def test_a_trigger_nobody_labelled(feature: str) -> None:
    """What looks like fraud counts as legitimate wherever one feature has one value."""
    table, said = bank()
    rows = some(table.labels, 40)
    labels, numeric = table.labels.copy(), dict(table.numeric)
    labels[rows] = False
    if feature == "amount":
        numeric["amount"] = table.numeric["amount"].copy()
        numeric["amount"][rows] = 9.99
    else:
        table = at_a_kiosk(table, rows)
    told = said.labelled.copy()
    told[rows] = False
    poisoned = replace(table, labels=labels, numeric=numeric)
    found = looked(poisoned, Said(told, np.where(told, said.sender, NOBODY), said.day))
    assert [each.where for each in found.found] == ["amount=9.99" if feature == "amount" else "channel=kiosk"]
    assert found.found[0].kind == "trigger"


def test_half_of_a_few_is_no_trigger() -> None:
    """It is far from chance that the place is like the others, and not that it is within what is borne."""
    table, said = bank()
    rows = some(table.labels, 20)
    labels = table.labels.copy()
    labels[rows[:9]] = False
    assert looked(replace(at_a_kiosk(table, rows), labels=labels), said).found == []


def test_nobody_knows_who_labelled() -> None:
    """An import: the senders cannot be compared, all together can."""
    table, said = say(*bank(), some(~bank()[0].labels, 40), fraud=True)
    found = looked(table, replace(said, sender=np.full(ROWS, NOBODY)))
    assert found.found == []
    assert found.overall[0].is_odd


def test_one_sender_alone_is_compared_with_nobody() -> None:
    table, said = bank()
    found = looked(table, replace(said, sender=np.where(said.labelled, "shop", NOBODY)))
    assert found.reasons == []


@pytest.mark.parametrize(("rows", "frauds"), [(0, 0), (1, 1), (3, 1), (40, 0), (40, 40)])
def test_too_little_says_nothing(rows: int, frauds: int) -> None:
    assert looked(*bank(rows=rows, frauds=frauds)).found == []


def test_only_the_chosen_rows_count() -> None:
    """What is not learnt from yet changes nothing."""
    table, said = bank()
    late = table.times > (START + 50) * DAY
    poisoned = say(table, said, np.flatnonzero(late & ~table.labels)[:100], fraud=True)
    assert audit(poisoned[0], ~late, poisoned[1], LIMITS) == audit(table, ~late, said, LIMITS)


def test_what_is_borne_is_the_policys() -> None:
    table, said = bank()
    poisoned = say(table, said, some(~table.labels, 40), fraud=True)
    assert looked(*poisoned, LIMITS.model_copy(update={"accused": 0.5, "excess": 0.9})).reasons == []


def test_of_few_frauds_nothing_follows_overall() -> None:
    table, said = bank()
    table, said = say(table, said, some(~table.labels, 30), fraud=True)
    nobody = replace(said, sender=np.full(ROWS, NOBODY))
    assert looked(table, nobody).reasons != []
    assert looked(table, nobody, LIMITS.model_copy(update={"min_frauds": 1_000})).reasons == []
