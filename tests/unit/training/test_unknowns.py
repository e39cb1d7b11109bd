import numpy as np

from assay.features.catalog import NAMES
from training.unknowns import DIRECT, GROUPS, SHARE, with_unknowns

CATEGORIES = {"channel": ["a", "b"], "auth_method": ["a"], "geo_country": ["a", "b", "c"], "currency": ["a"]}


def test_a_share_of_the_rows_is_learnt_again_with_something_unknown() -> None:
    rows = np.ones((4_000, len(NAMES)))
    labels = np.arange(4_000) % 7 == 0
    more, more_labels = with_unknowns(rows, labels, CATEGORIES, seed=1)
    assert np.array_equal(more[:4_000], rows)
    assert abs(len(more) / 4_000 - 1 - SHARE) < 0.03
    assert len(more) == len(more_labels)
    copies = more[4_000:]
    numeric = [index for index, name in enumerate(NAMES) if name not in CATEGORIES]
    hidden = np.isnan(copies[:, numeric]).any(axis=1) | (copies[:, NAMES.index("channel")] == 2.0)
    assert hidden.all()
    assert not np.isnan(copies[:, NAMES.index("amount")]).any()


def test_the_same_seed_hides_the_same() -> None:
    rows, labels = np.ones((500, len(NAMES))), np.zeros(500, dtype=bool)
    first, second = (with_unknowns(rows, labels, CATEGORIES, seed=3)[0] for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)


def test_every_feature_but_the_plainest_can_be_unknown() -> None:
    hideable = {name for names in GROUPS.values() for name in names}
    assert set(NAMES) - hideable == {"amount", "currency"} | (set(DIRECT) - hideable)
    assert all(name in NAMES for names in GROUPS.values() for name in names)
