import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.schemas.card_numbers import contains_card_number, find_card_number, passes_luhn

# Numbers the schemes publish for testing.
CARDS = {
    "Visa": "4111111111111111",
    "Visa 13": "4222222222222",
    "Mastercard": "5555555555554444",
    "Mastercard 2": "2223003122003222",
    "American Express": "378282246310005",
    "Diners Club": "30569309025904",
    "JCB": "3530111333300000",
    "Discover": "6011111111111117",
    "UnionPay": "6200000000000005",
    "Maestro": "6759649826438453",
}


@pytest.mark.parametrize("number", CARDS.values(), ids=CARDS.keys())
@pytest.mark.parametrize("separator", ["", " ", "-", ".", ":", "_"])
def test_cards_are_found_in_every_spelling(number: str, separator: str) -> None:
    spelled = separator.join(number[i : i + 4] for i in range(0, len(number), 4))
    assert contains_card_number(spelled)
    assert contains_card_number(f"acct-{spelled}-x")


def test_other_scripts_digits_are_digits() -> None:
    assert contains_card_number("".join(chr(0xFF10 + int(digit)) for digit in CARDS["Visa"]))


def test_a_card_followed_by_its_expiry_is_found() -> None:
    assert contains_card_number("4111-1111-1111-1111-12-26")


@pytest.mark.parametrize(
    "text",
    ["4111111111111112", "1234567890123452", "0000000000000000", "2026-11-21T07:10:38.123456+00:00", "192.0.2.17"],
)
def test_ordinary_numbers_are_not_cards(text: str) -> None:
    assert not contains_card_number(text)


@given(st.integers(min_value=0, max_value=10**17))
def test_luhn_accepts_exactly_one_check_digit(number: int) -> None:
    assert sum(passes_luhn(f"{number}{digit}") for digit in range(10)) == 1


def test_the_place_is_named_however_deep() -> None:
    document = {"a": 1, "features": {"list": ["x", {"y": CARDS["Visa"]}]}}
    assert find_card_number(document) == "features.list.1.y"
    assert find_card_number({"a": int(CARDS["Visa"])}) == "a"
    assert find_card_number({CARDS["Visa"]: 1}) == "(unprintable name)"
    assert find_card_number({"a": "b"}) is None
