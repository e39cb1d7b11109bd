"""Looks for drift over rows drawn from the release's reference: nothing is found in them, and what is planted is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from assay.errors import ReleaseError
from assay.intelligence.drift_policy import DriftPolicy
from assay.intelligence.drift_report import DriftReport, Level
from assay.intelligence.reference import FILE
from assay.release import Release
from assay.release.manifest import FILES
from assay.schemas.event import Event
from functions.intelligence.drift_cells import step_end
from functions.intelligence.drift_check import DriftCheck, crossing
from local.champion import open_champion
from local.places import Places
from tests.harness.scored_rows import NOON, rows, with_values

AT = step_end(NOON, DriftPolicy())
DAY_AGO = AT - timedelta(hours=36)


@pytest.fixture(scope="module")
def release() -> Release:
    return open_champion(Places(Path("/nowhere")))


@pytest.fixture(scope="module")
def quiet(release: Release) -> pl.DataFrame:
    return rows(release, 60_000, 50)


def looked(
    release: Release, frame: pl.DataFrame, labels: pl.DataFrame | None = None, previous: DriftReport | None = None,
    at: datetime = AT,
) -> DriftReport:  # fmt: skip
    check = DriftCheck(release, at, labels)
    check.add(frame)
    return check.report(previous)


def alarmed(report: DriftReport, segment: str = "all") -> set[str]:
    return {one.name for one in report.measurements if one.level is Level.ALARM and one.segment == segment}


def test_what_is_as_in_training_is_quiet(release: Release, quiet: pl.DataFrame) -> None:
    report = looked(release, quiet)
    assert report.level is not Level.ALARM
    assert report.drifted == []
    assert report.events > 40_000
    compared = {(one.name, one.measure, one.window, one.against) for one in report.measurements}
    for window in ("24h", "7d"):
        for against in ("reference", "before"):
            for name, measure in (("amount", "psi"), ("amount", "ks"), ("fraud_score", "psi"), ("channel", "psi")):
                assert (name, measure, window, against) in compared
            assert ("decline_rate", "ratio", window, against) in compared
    # The calendar's features only in whole periods.
    assert {one.window for one in report.measurements if one.name == "is_weekend"} == {"7d"}


@pytest.mark.parametrize(
    ("values", "drifted"),
    [
        ({"amount": pl.col("amount") * 2}, {"amount"}),
        ({"amount": pl.lit(None, dtype=pl.Float64)}, {"amount"}),
        ({"travel_speed_kmh": pl.lit(float("nan"))}, {"travel_speed_kmh"}),
        ({"channel": pl.lit("metaverse")}, {"channel"}),
        ({"geo_country": pl.lit(None, dtype=pl.String)}, {"geo_country"}),
        ({"fraud_score": pl.col("fraud_score") * 5}, {"fraud_score"}),
        ({"decision": pl.lit("DECLINE")}, {"decline_rate", "challenge_rate"}),
    ],
)
def test_what_is_planted_is_found(
    release: Release, quiet: pl.DataFrame, values: Mapping[str, pl.Expr], drifted: set[str]
) -> None:
    report = looked(release, with_values(quiet, DAY_AGO, values))
    assert alarmed(report) == drifted
    assert set(report.drifted) == drifted
    assert report.level is Level.ALARM


def test_a_look_alone_is_not_enough(release: Release, quiet: pl.DataFrame) -> None:
    """Six hours of something else fill a quarter of the window now, and nothing of the one before."""
    drifting = with_values(quiet, AT - timedelta(hours=6), {"channel": pl.lit("metaverse")})
    assert alarmed(looked(release, drifting)) == set()


def test_only_a_segment(release: Release, quiet: pl.DataFrame) -> None:
    """A seventh of the events: not enough to be seen among all."""
    tripled = pl.when(pl.col("channel") == "pos").then(pl.lit("password")).otherwise(pl.col("auth_method"))
    report = looked(release, with_values(quiet, AT - timedelta(days=8), {"auth_method": tripled}))
    assert "auth_method" in alarmed(report, "channel=pos")
    assert not alarmed(report, "channel=web")


def _labels(frame: pl.DataFrame, share_caught: float, seed: int) -> pl.DataFrame:
    """Which of the rows were fraud: 1 %, and what they are decided is turned accordingly by the caller."""
    chosen = frame.sample(fraction=0.01, seed=seed).sort("occurred_at")
    return chosen.select("client_id", "transaction_id", "occurred_at").with_columns(
        pl.lit("fraud_confirmed").alias("label"), (pl.col("occurred_at") + timedelta(days=3)).alias("labelled_at"),
        (pl.int_range(pl.len()) % 100 < share_caught * 100).alias("caught"),
    )  # fmt: skip


def _decided(frame: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    joined = frame.join(labels.select("transaction_id", "caught"), on="transaction_id", how="left")
    decision = pl.when(pl.col("caught")).then(pl.lit("DECLINE")).otherwise(pl.lit("APPROVE"))
    return joined.with_columns(
        pl.when(pl.col("caught").is_null()).then(pl.col("decision")).otherwise(decision).alias("decision")
    ).drop("caught")


@pytest.mark.parametrize(("caught_late", "drifted"), [(0.8, False), (0.4, True)])
def test_recall_is_told_once_labels_are_due(
    release: Release, quiet: pl.DataFrame, caught_late: float, drifted: bool
) -> None:
    turn = AT - timedelta(days=15)
    early, late = quiet.filter(pl.col("occurred_at") < turn), quiet.filter(pl.col("occurred_at") >= turn)
    labels = pl.concat([_labels(early, 0.8, 1), _labels(late, caught_late, 2)])
    report = looked(release, _decided(quiet, labels), labels)
    (recall,) = (one for one in report.measurements if one.name == "recall" and one.segment == "all")
    assert ("recall" in report.drifted) is drifted
    assert recall.before == pytest.approx(0.8, abs=0.1)
    assert recall.now == pytest.approx(caught_late, abs=0.1)
    without = looked(release, quiet)
    assert not {one.name for one in without.measurements} & {"recall", "precision"}


def test_labels_that_came_late_are_not_counted_for_the_old_alone(release: Release, quiet: pl.DataFrame) -> None:
    """Old events have had time to get every label, new ones have not: only the delay that all have had counts."""
    labels = _labels(quiet, 0.8, 1)
    late = labels.with_columns((pl.col("occurred_at") + timedelta(days=8)).alias("labelled_at"))
    known = late.filter(pl.col("labelled_at") <= AT)
    report = looked(release, quiet, known)
    assert "fraud_rate" not in report.drifted


def test_parts_and_repetition_of_frames_make_no_difference(release: Release, quiet: pl.DataFrame) -> None:
    check = DriftCheck(release, AT)
    for start in range(0, len(quiet), 7_919):
        check.add(quiet[start : start + 7_919].sample(fraction=1.0, shuffle=True, seed=start))
    assert check.report() == looked(release, quiet)


def test_too_little_is_not_compared(release: Release, quiet: pl.DataFrame) -> None:
    report = looked(release, quiet.tail(300))
    assert report.measurements == []
    assert report.too_few > 0
    assert report.level is Level.OK
    assert looked(release, quiet.clear()).events == 0


def test_scores_of_another_release_do_not_count(release: Release, quiet: pl.DataFrame) -> None:
    other = with_values(quiet, DAY_AGO, {"release_hash": pl.lit("another"), "fraud_score": pl.lit(0.9)})
    assert "fraud_score" not in looked(release, other).drifted


def test_an_alarm_is_announced_once_and_lasts_until_it_is_no_warning(release: Release, quiet: pl.DataFrame) -> None:
    drifting = with_values(quiet, AT - timedelta(days=3), {"amount": pl.col("amount") * 2})
    reports: list[DriftReport] = []
    events: list[Event] = []
    for hours in range(48, -1, -6):
        previous = reports[-1] if reports else None
        reports.append(looked(release, drifting, previous=previous, at=AT - timedelta(hours=hours)))
        event = crossing(previous, reports[-1])
        events += [] if event is None else [event]
    assert [event.event for event in events] == ["drift.detected"]
    assert events[0].client_id == "system"
    assert events[0].data["names"] == ["amount"]
    assert "amount" in str(events[0].data["measurements"])
    assert reports[-1].since == {"amount": events[0].occurred_at}
    again = crossing(None, reports[0]) if reports[0].drifted else crossing(None, reports[-1])
    assert again is not None
    later = looked(release, quiet, previous=reports[-1])
    assert later.drifted == []
    assert crossing(reports[-1], later) is None
    assert DriftReport.model_validate_json(reports[-1].model_dump_json()) == reports[-1]


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"rows": 0, "features": {}, "scores": {}}'])
def test_a_release_without_its_reference_is_refused(release: Release, document: bytes) -> None:
    broken = replace(release, _files={name: document if name == FILE else release.read(name) for name in FILES})
    with pytest.raises(ReleaseError, match=FILE):
        DriftCheck(broken, AT)


def test_earlier_looks_are_what_they_would_have_been(release: Release, quiet: pl.DataFrame) -> None:
    labels = _labels(quiet, 0.8, 1)
    check = DriftCheck(release, AT, labels, earlier=8)
    check.add(quiet)
    then = AT - timedelta(hours=48)
    known = labels.filter(pl.col("labelled_at") <= then)
    report = looked(release, quiet.filter(pl.col("occurred_at") < then), known, at=then)
    assert check.report(back=8).measurements == report.measurements
