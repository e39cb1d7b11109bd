import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from assay.problems import from_validation
from assay.schemas.transaction import FlatTransaction, TransactionRequest, decimals

EVENTS = Path(__file__).parents[3] / "events"
MINIMAL = {
    "transaction_id": "t-1",
    "account_id": "a-1",
    "amount": 12.5,
    "currency": "EUR",
    "channel": "web",
    "auth_method": "otp",
}


def request(**changes: object) -> TransactionRequest:
    return TransactionRequest.model_validate({**MINIMAL, **changes})


def test_the_samples_are_valid() -> None:
    for path in EVENTS.glob("score_*.json"):
        model = FlatTransaction if "flat" in path.name else TransactionRequest
        model.model_validate(json.loads(path.read_text()))


@pytest.mark.parametrize("path", sorted((EVENTS / "invalid").glob("score_[au]*.json")), ids=lambda path: path.stem)
def test_the_invalid_samples_are_not(path: Path) -> None:
    with pytest.raises(ValidationError):
        TransactionRequest.model_validate(json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "12"),
        ("amount", True),
        ("amount", None),
        ("amount", 0),
        ("amount", -1),
        ("amount", 1e13),
        ("amount", 10**400),
        ("amount", 12.345),
        ("amount", [12]),
        ("currency", "eur"),
        ("currency", "ZZZ"),
        ("currency", "EURO"),
        ("channel", "phone"),
        ("auth_method", "PIN"),
        ("transaction_id", ""),
        ("transaction_id", "x" * 65),
        ("transaction_id", "a b"),
        ("transaction_id", "a\n"),
        ("transaction_id", "a\x00"),
        ("transaction_id", "\ud800"),
        ("transaction_id", 7),
        ("account_id", "ä"),
        ("geo_country", "XX"),
        ("geo_country", "de"),
        ("ip_address", "999.1.1.1"),
        ("ip_address", "localhost"),
        ("occurred_at", "2026-11-21"),
        ("occurred_at", "2026-11-21T07:10:38"),
        ("occurred_at", "2026-11-31T07:10:38Z"),
        ("occurred_at", "0001-01-01T00:00:00+14:00"),
        ("occurred_at", 1_700_000_000),
        ("account_opened_at", "2026-13-01"),
        ("customer_age", 200),
        ("customer_age", 30.5),
        ("features", {"tx_count_last_5m": -1}),
        ("features", {"new_device_flag": 2}),
        ("features", {"verdict": 1}),
        ("verdict", "APPROVE"),
    ],
)
def test_a_wrong_field_is_refused_and_named_without_its_value(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        request(**{field: value})
    problem = from_validation(refused.value)
    assert any(error.field.startswith(field) for error in problem.errors) or "minor" in problem.errors[0].code
    assert problem.status == 422
    if isinstance(value, str) and len(value) > 3:
        assert value.encode("utf-8", "replace") not in problem.to_json()


def test_time_is_kept_in_utc() -> None:
    moment = request(occurred_at="2026-11-21T08:10:38.5+01:00").occurred_at
    assert moment == datetime(2026, 11, 21, 7, 10, 38, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("currency", "amount", "good"), [("JPY", 10, True), ("JPY", 10.5, False), ("KWD", 1.125, True)]
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, amount: float, good: bool) -> None:
    if good:
        assert request(currency=currency, amount=amount).amount == Decimal(str(amount))
    else:
        with pytest.raises(ValidationError):
            request(currency=currency, amount=amount)


def test_trailing_zeros_are_no_decimals() -> None:
    assert decimals(Decimal("10.500")) == 1
    assert decimals(Decimal("1E+3")) == 0
    assert decimals(Decimal("100")) == 0
