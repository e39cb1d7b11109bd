"""Making the golden set: once, of a simulated bank, or of an installation's labelled history when somebody says so."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.features.rates import Rates
from assay.release import Release
from assay.schemas.event import SYSTEM, Event
from functions.trainer.installation import Installation
from functions.trainer.rows import KEYS, labelled
from training.retraining.golden import GoldenSet, GoldenSetError, Sealed, opened, seal
from training.settings import TrainingDataError
from training.simulator import NO_SHIFT, START, Shift, simulate
from training.split import DAY
from training.table import FeatureTable, build_table

FROZEN = "golden.frozen"
"""The event when a golden set was made."""
SEED = 90_001
"""Nobody trains with it."""
CUSTOMERS, DAYS = 1_500, 60
WARM_UP = 0.2
"""Share of the time in which everybody's device is new: none of it is kept."""


def ensure(installation: Installation, champion: Release) -> GoldenSet:
    """The golden set; at the first retraining it is made, of a simulated bank: no feedback was ever near it.

    Raises `GoldenSetError` when it is not as it was frozen, `StorageError`, OSError.
    """
    sealed = installation.golden() or freeze_simulated(installation, champion)
    return opened(sealed, installation.trusted())


def freeze_simulated(
    installation: Installation,
    champion: Release,
    seed: int = SEED,
    customers: int = CUSTOMERS,
    days: int = DAYS,
    shift: Shift = NO_SHIFT,
) -> Sealed:
    """Of a bank that nobody trains on. Raises `GoldenSetError`, `StorageError`, OSError."""
    if seed == champion.manifest.training.seed:
        raise GoldenSetError(f"seed {seed} is the one that {champion.version} was trained with: choose another")
    rates = Rates.load(champion.read("rates.yaml"))
    until = START.timestamp() + DAY * days
    table = build_table(simulate(seed, customers, days, START, shift), rates, until, lambda _step, _share: None)
    rows = table.times >= START.timestamp() + DAY * days * WARM_UP
    return _freeze(installation, table, rows, pl.DataFrame(), f"simulated bank, seed {seed}")


def freeze_history(installation: Installation, until: datetime, days: int, *, replace: bool) -> Sealed:
    """Of what this installation scored in the days before `until`, by the labels it has now.

    No release learns from these transactions any more. Raises `GoldenSetError`, also when there is a golden set and it
    shall not be replaced, `StorageError`, `TrainingDataError`, `RetrainingError` while another run is under way.
    """
    try:
        until - timedelta(days=days)
    except OverflowError:
        raise GoldenSetError(f"no calendar has {days} days before {until.date()}") from None
    with installation.alone():
        if not replace:
            require_none(installation)
        found = labelled(installation, days, until)
        if found.history.is_empty():
            raise GoldenSetError(f"nothing was scored in the {days} days before {until.date()}")
        rows = np.ones(len(found.history), dtype=np.bool_)
        return _freeze(installation, found.table, rows, found.history.select(KEYS), "history of the installation")


def require_none(installation: Installation) -> None:
    """Raises `GoldenSetError` when there is a golden set, good or not."""
    if installation.golden() is not None:
        raise GoldenSetError("there is a golden set: say so if another one shall replace it")


def _freeze(
    installation: Installation, table: FeatureTable, rows: NDArray[np.bool_], identity: pl.DataFrame, source: str
) -> Sealed:
    frauds = int(table.labels[rows].sum())
    if not 0 < frauds < rows.sum():
        raise TrainingDataError("a golden set needs fraud and legitimate transactions")
    sealed = seal(table, rows, identity, installation.signing_key())
    told = Event.now(FROZEN, SYSTEM, sha256=sealed.sha256, source=source, rows=int(rows.sum()), frauds=frauds)
    installation.announce(told)  # first: nothing judges that nobody was told of
    installation.freeze(sealed)
    return sealed
