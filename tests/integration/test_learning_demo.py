"""What the learning demo puts into a folder is what a server would have scored; its drift is what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from assay.adapters.sqlite.schema import open_database
from assay.features.rates import Rates
from local.champion import open_champion
from local.demo.backfill import fill
from local.demo.learning import NEW, NewStories
from local.history import scored_table
from local.places import Places
from tests.harness.service import running_service
from training.simulator import (
    Event,
    SimulatedLogin,
    as_login,
    as_request,
    simulate,
    with_labels,
)
from training.table import NUMERIC, build_table

START = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_features_are_those_of_training(tmp_path: Path) -> None:
    places = Places(tmp_path)
    release = open_champion(places)
    open_database(places.database).close()
    filled = fill(places, release, with_labels(simulate(4, 60, 12, START)), "shop")
    rates = Rates.load(release.read("rates.yaml"))
    table = build_table(simulate(4, 60, 12, START), rates, 0.0, lambda _step, _share: None)
    history = scored_table(places)
    assert filled.transactions == len(history) == len(table)
    assert filled.fraud == table.labels.sum()
    for name in NUMERIC:
        found = history[name].cast(float).fill_null(float("nan")).to_numpy()
        np.testing.assert_allclose(np.sort(found), np.sort(table.numeric[name]), err_msg=name)


def sent(data: Path, events: list[Event]) -> dict[str, Any]:
    """Verdicts of a server over the folder, those of the deny list apart: what is filled in freezes nobody."""
    found = {}
    with running_service(data) as service, service.client() as client:
        for event in events:
            if isinstance(event, SimulatedLogin):
                client.post("/events/logins", json=as_login(event)).raise_for_status()
                continue
            verdict = client.post("/score", json=as_request(event)).raise_for_status().json()
            if verdict["triggered_by"] != "DENY_LIST":
                found[event.transaction_id] = [verdict[name] for name in ("decision", "fraud_score", "if_score")]
    return found


def test_a_server_goes_on_where_it_ends(tmp_path: Path) -> None:
    """What is sent after the filled weeks gets the verdicts that it gets when everything was sent."""
    events = list(simulate(4, 50, 4, START))
    places = Places(tmp_path / "filled")
    places.data.mkdir()
    open_database(places.database).close()
    fill(places, open_champion(places), events[:-60], "shop")
    rest = sent(places.data, events[-60:])
    everything = sent(tmp_path / "sent", events)
    both = rest.keys() & everything.keys()
    assert len(both) > 30
    assert {key: rest[key] for key in both} == {key: everything[key] for key in both}


def test_nobody_tells_the_new_stories_before_they_set_in() -> None:
    shift = NewStories(dict.fromkeys(NEW, 4.0) | {"amounts": 3.0}, 20)
    assert {shift.of(name, 19) for name in NEW} == {0.0}
    assert {shift.of(name, 20) for name in NEW} == {4.0}
    assert (shift.of("amounts", 19), shift.of("amounts", 20), shift.of("sim_swap", 25)) == (1.0, 3.0, 1.0)
