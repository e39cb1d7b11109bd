"""A bank's customers and the people who rob them, as a stream of events in time order."""

from __future__ import annotations

from training.simulator.events import (
    Event,
    SimulatedLogin,
    SimulatedTransaction,
    as_login,
    as_request,
    as_seen_login,
    as_transaction,
)
from training.simulator.labels import SimulatedLabel, with_labels
from training.simulator.shift import NO_SHIFT, Shift
from training.simulator.simulate import START, simulate

__all__ = [
    "NO_SHIFT",
    "START",
    "Event",
    "Shift",
    "SimulatedLabel",
    "SimulatedLogin",
    "SimulatedTransaction",
    "as_login",
    "as_request",
    "as_seen_login",
    "as_transaction",
    "simulate",
    "with_labels",
]
