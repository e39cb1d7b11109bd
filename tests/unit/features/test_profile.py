"""What the random streams do not say clearly: single answers, and failures."""

from __future__ import annotations

import pytest

from assay.features.catalog import NAMES
from assay.features.geography import distance_km, speed_kmh
from assay.features.profile import Profile, unknown_features
from assay.features.transaction import Login
from tests.unit.features.streams import DAY, HOUR, SECOND, START, ListHistory, transaction

DIRECT = {
    "amount",
    "channel",
    "auth_method",
    "geo_country",
    "currency",
    "hour_of_day",
    "is_weekend",
    "account_age_days",
    "balance_share_moved",
}


def test_a_transaction_by_itself():
    # 2023-11-14 22:13:20 UTC, a Tuesday
    tx = transaction(1, START, amount=25_0000, balance_before=100_0000, opened=START - 36 * HOUR, country="GB")
    features = Profile().observe(tx)
    assert features["amount"] == 25.0
    assert (features["channel"], features["auth_method"]) == ("web", "otp")
    assert (features["geo_country"], features["currency"]) == ("GB", "EUR")
    assert features["hour_of_day"] == pytest.approx(22 + 13 / 60 + 20 / 3600)
    assert features["is_weekend"] == 0.0
    assert features["account_age_days"] == 1.5
    assert features["balance_share_moved"] == 0.25
    assert features["avg_tx_amount_7d"] == 25.0
    assert features["amount_to_avg_ratio"] == 1.0
    assert features["seconds_since_last_tx"] is None
    assert features["new_device_flag"] is None


@pytest.mark.parametrize(("days", "weekend"), [(3, 0.0), (4, 1.0), (5, 1.0), (6, 0.0)])
def test_weekend(days, weekend):
    assert Profile().observe(transaction(1, START + days * DAY))["is_weekend"] == weekend


@pytest.mark.parametrize("balance", [None, 0, -5])
def test_no_share_of_an_unknown_or_empty_balance(balance):
    assert Profile().observe(transaction(1, START, balance_before=balance))["balance_share_moved"] is None


def test_account_opened_later_is_new():
    assert Profile().observe(transaction(1, START, opened=START + DAY))["account_age_days"] == 0.0


def test_without_an_account_nothing_is_counted():
    profile = Profile()
    anonymous = transaction(1, START, account=None, device="d", address="i", counterparty="c")
    features = profile.observe(anonymous)
    assert features == unknown_features(anonymous)
    assert tuple(features) == NAMES
    assert {name for name, value in features.items() if value is not None} <= DIRECT
    profile.retract(anonymous)
    known = profile.observe(transaction(2, START + 8 * DAY, device="d", address="i", counterparty="c"))
    assert known["device_seen_before"] == 0.0
    assert known["accounts_per_ip_24h"] == 1.0
    assert known["counterparty_tx_count_1d"] == 0.0


def test_too_late_is_unknown_not_zero():
    profile = Profile()
    profile.observe(transaction(1, START, device="d", address="i", counterparty="c"))
    late = profile.observe(transaction(2, START - 8 * DAY, device="d", address="i", counterparty="c"))
    assert late["tx_count_last_1h"] == 1.0
    assert late["account_tx_count_30d"] is None
    assert late["accounts_per_device"] is None
    assert late["counterparty_tx_count_30d"] is None
    too_late = profile.observe(transaction(3, START - 60 * DAY, device="d", address="i", counterparty="c"))
    assert {name for name, value in too_late.items() if value is not None} <= DIRECT | {
        "new_device_flag",
        "device_seen_before",
    }


def test_amounts_of_any_size_are_exact():
    profile = Profile()
    for number in range(2_000):
        profile.observe(transaction(number, START + number, amount=10**17))
    features = profile.observe(transaction("last", START + 3_000, amount=1))
    assert features["account_amount_mean_1d"] == (2_000 * 10**17 + 1) / (2_001 * 10_000)
    assert features["amount_to_avg_ratio"] == 1 / 10**17


def test_a_device_is_new_before_its_first_known_use():
    profile = Profile()
    assert profile.observe(transaction(1, START, device="d"))["new_device_flag"] == 1.0
    assert profile.observe(transaction(2, START, device="d"))["new_device_flag"] == 0.0
    assert profile.observe(transaction(3, START - 1, device="d"))["new_device_flag"] == 1.0
    other = profile.observe(transaction(4, START, account="b", device="d"))
    assert (other["new_device_flag"], other["device_seen_before"]) == (1.0, 1.0)


def test_logins():
    profile = Profile()
    for number in range(3):
        profile.record_login(Login(str(number), START + number, "a", success=False))
    before = profile.observe(transaction(1, START + SECOND))
    assert (before["failed_login_count_last_1h"], before["failed_logins_then_success"]) == (3.0, 0.0)
    success = Login("s", START + 2 * SECOND, "a", success=True)
    profile.record_login(success)
    assert profile.observe(transaction(2, START + 3 * SECOND))["failed_logins_then_success"] == 1.0
    profile.retract_login(success)
    assert profile.observe(transaction(3, START + 4 * SECOND))["failed_logins_then_success"] == 0.0
    assert profile.observe(transaction(4, START + HOUR + 1))["failed_login_count_last_1h"] == 1.0


def test_failures_of_an_earlier_hour_do_not_make_a_guess():
    profile = Profile()
    for number in range(5):
        profile.record_login(Login(f"old {number}", START + number, "a", success=False))
    for number in range(3):
        profile.record_login(Login(str(number), START + HOUR + 2 * number * SECOND, "a", success=number == 1))
    profile.record_login(Login("last", START + HOUR + 5 * SECOND, "a", success=False))
    features = profile.observe(transaction(1, START + HOUR + 6 * SECOND))
    assert (features["failed_login_count_last_1h"], features["failed_logins_then_success"]) == (3.0, 0.0)


def test_a_label_counts_once():
    profile = Profile()
    tx = transaction(1, START, counterparty="c")
    profile.observe(tx)
    profile.observe(transaction(2, START + 1, counterparty="c"))
    profile.confirm_fraud(tx)
    profile.confirm_fraud(tx)
    profile.confirm_fraud(transaction(9, START, counterparty="never met"))
    profile.confirm_fraud(transaction(9, START))
    assert profile.observe(transaction(3, START + 8 * DAY - 1, counterparty="c"))["counterparty_fraud_share_1d"] == 0.5


def test_a_dormant_account_is_found_again():
    history = ListHistory([transaction(1, START - 2_000 * DAY, country="GB")])
    features = Profile(history).observe(transaction(2, START, country="GB"))
    assert features["seconds_since_last_tx"] == 2_000 * 86_400
    assert features["travel_speed_kmh"] == 0.0


def test_the_previous_country_is_found_behind_a_transaction_without_one():
    history = ListHistory([transaction(1, START - 45 * DAY, country="GB"), transaction(2, START - 20 * DAY)])
    assert Profile(history).observe(transaction(3, START, country="GB"))["travel_speed_kmh"] == 0.0


def test_what_was_dropped_as_too_late_is_unknown_afterwards():
    profile = Profile()
    ahead = transaction(1, START + 60 * DAY, country="GB", device="d", address="i", counterparty="c")
    profile.observe(ahead)
    profile.observe(transaction(2, START, country="GB", device="d", address="i", counterparty="c"))
    profile.retract(ahead)
    features = profile.observe(transaction(3, START + 1, country="GB", device="d", address="i", counterparty="c"))
    for name in ("tx_count_last_1h", "country_mismatch_flag", "accounts_per_device", "accounts_per_ip_24h"):
        assert features[name] is None, name


def test_the_usual_country_after_a_retraction():
    profile = Profile()
    for number, country in enumerate(("FR", "GB", "FR", "GB")):
        profile.observe(transaction(number, START + number * HOUR, country=country))
    last = transaction("last", START + 5 * HOUR, country="FR")
    profile.observe(last)
    profile.retract(last)
    assert profile.observe(transaction("next", START + 6 * HOUR, country="FR"))["country_mismatch_flag"] == 1.0


class Broken(ListHistory):
    def counterparty_transactions(self, counterparty, since):
        raise OSError("gone")


def test_nothing_is_counted_when_the_history_fails():
    profile = Profile(Broken())
    with pytest.raises(OSError, match="gone"):
        profile.observe(transaction(1, START, device="d", address="i", counterparty="c"))
    features = profile.observe(transaction(2, START, device="d", address="i"))
    assert features["account_tx_count_1d"] == 1.0
    assert features["new_device_flag"] == 1.0
    assert features["device_seen_before"] == 0.0


def test_distances():
    assert distance_km("GB", "FR") == pytest.approx(800, abs=300)
    assert distance_km("GB", "FR") == distance_km("FR", "GB")
    assert distance_km("GB", "no country") is None
    assert speed_kmh("no country", "no country", HOUR) == 0.0
    assert speed_kmh("GB", "FR", 2 * HOUR) == pytest.approx(distance_km("GB", "FR") / 2)
    assert speed_kmh("GB", "FR", 0) == pytest.approx(distance_km("GB", "FR") * 60)
