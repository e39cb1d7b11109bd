import pytest
from pydantic import ValidationError

from assay.problems import from_validation, safe_name
from assay.schemas.transaction import TransactionRequest

BODY = {"transaction_id": "t", "account_id": "a", "currency": "EUR", "channel": "web", "auth_method": "otp"}


@pytest.mark.parametrize("name", ["amount", "tx_count_last_5m", "_x", "a" * 64, 3])
def test_ordinary_names_are_shown(name: object) -> None:
    assert safe_name(name) == str(name)


@pytest.mark.parametrize("name", ["pan_4111111111111111", "x4111_1111_1111", "a b", "a" * 65, "ä", "", "\ud800", None])
def test_names_that_may_hide_something_are_not(name: object) -> None:
    assert safe_name(name) == "(unprintable name)"


def test_too_many_decimals_name_their_field() -> None:
    with pytest.raises(ValidationError) as refused:
        TransactionRequest.model_validate({**BODY, "amount": 24.999})
    assert [error.field for error in from_validation(refused.value).errors] == ["amount"]
