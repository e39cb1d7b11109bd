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
from training.simulator.simulate import START, simulate

__all__ = [
    "START",
    "Event",
    "SimulatedLogin",
    "SimulatedTransaction",
    "as_login",
    "as_request",
    "as_seen_login",
    "as_transaction",
    "simulate",
]
