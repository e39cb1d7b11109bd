"""Teaches the classifier the unknown: callers who send less, and parts that could not be read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.features.catalog import BY_NAME, EXTENDED, NAMES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHARE = 0.15
"""Of the training rows, so many are learnt a second time with something unknown."""
DIRECT = ("amount", "channel", "auth_method", "geo_country", "currency", "hour_of_day", "is_weekend")
GROUPS: dict[str, tuple[str, ...]] = {
    # What one caller or another leaves out ...
    "counterparty": tuple(name for name in NAMES if "counterpart" in name),
    "device": ("new_device_flag", "device_seen_before", "accounts_per_device"),
    "address": ("accounts_per_ip_24h",),
    "logins": ("failed_login_count_last_1h", "failed_logins_then_success"),
    "country": ("geo_country", "country_mismatch_flag", "distinct_countries_24h", "travel_speed_kmh"),
    "account facts": ("account_age_days", "balance_share_moved"),
    "how": ("channel", "auth_method"),
    # ... seed B's flat body, which has no more than the 17 ...
    "extended": tuple(feature.name for feature in EXTENDED),
    # ... and a profile that could not be read.
    "profile": tuple(name for name in NAMES if name not in (*DIRECT, "account_age_days", "balance_share_moved")),
}


def with_unknowns(rows: Floats, labels: Bools, categories: dict[str, list[str]], seed: int) -> tuple[Floats, Bools]:
    """The rows (n, features of the catalogue), and a share of them again with one or two groups unknown."""
    random = np.random.default_rng(seed)
    chosen = np.flatnonzero(random.random(len(rows)) < SHARE)
    copies = rows[chosen]
    masks = np.array([[name in names for name in NAMES] for names in GROUPS.values()])
    first, second = random.integers(len(masks), size=(2, len(chosen)))
    hidden = masks[first] | (masks[second] & (random.random(len(chosen)) < 0.5)[:, None])
    unknown = np.array([float(len(categories[name])) if BY_NAME[name].kind == "category" else np.nan for name in NAMES])
    copies = np.where(hidden, unknown, copies)
    return np.concatenate([rows, copies]), np.concatenate([labels, labels[chosen]])
