from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.webhooks.backoff import full_jitter


@pytest.mark.parametrize(
    ("attempt", "bound"), [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (10, 2560), (11, 3600), (10_000, 3600)]
)
def test_the_bound_doubles_up_to_the_longest(attempt: int, bound: float) -> None:
    assert full_jitter(attempt, 5, 3600, 0.0) == 0
    assert full_jitter(attempt, 5, 3600, 0.5) == bound / 2


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_never_longer_than_the_longest(attempt: int, draw: float) -> None:
    assert 0 <= full_jitter(attempt, 5, 3600, draw) <= 3600
