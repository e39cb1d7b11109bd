"""From a request body to a clean submission, or a problem that names what is wrong."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from assay.features.rates import Rates
from assay.features.transaction import MONEY_SCALE, Login, Transaction
from assay.moments import microseconds
from assay.problems import FieldError, Problem, from_validation
from assay.schemas.base import FeatureValue
from assay.schemas.geoip import GeoIpRequest
from assay.schemas.login import LoginEvent
from assay.schemas.strict_json import parse_object
from assay.schemas.transaction import FlatTransaction, TransactionRequest

AHEAD = timedelta(minutes=5)
FLAT_FIELDS = frozenset(FlatTransaction.model_fields) - {"transaction_id"}
FLAT_ONLY = FLAT_FIELDS - frozenset(TransactionRequest.model_fields)
GIVEN_BY_FLAT = frozenset(FLAT_ONLY) - {"avg_tx_amount_7d"}


@dataclass(slots=True)
class Submission:
    """A clean request: what the features see, what the caller gave, and what tells it from another."""

    client_id: str
    transaction: Transaction
    given: dict[str, FeatureValue]
    document: bytes
    """The request as canonical JSON, UTF-8: what the record keeps."""
    fingerprint: bytes
    """SHA-256 of `document`: the same id with another fingerprint is a conflict."""
    occurred_at: datetime


def read_transaction(body: bytes, client_id: str, rates: Rates, now: datetime) -> Submission:
    """The submission in a `POST /score` body, Assay's shape or seed B's flat one. Raises `Problem`."""
    document = parse_object(body)
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    try:
        if FLAT_ONLY.isdisjoint(document):
            request = TransactionRequest.model_validate(document)
            occurred_at = _not_ahead(request.occurred_at, now)
            transaction, given = _from_request(request, occurred_at, rates)
        else:
            flat = FlatTransaction.model_validate(document)
            occurred_at = now
            transaction, given = _from_flat(flat, now, rates)
    except ValidationError as error:
        raise from_validation(error) from None
    fingerprint = hashlib.sha256(canonical).digest()
    return Submission(client_id, transaction, given, canonical, fingerprint, occurred_at)


def read_login(body: bytes, now: datetime) -> Login:
    """The login attempt in a `POST /events/logins` body. Raises `Problem`."""
    try:
        event = LoginEvent.model_validate(parse_object(body))
    except ValidationError as error:
        raise from_validation(error) from None
    occurred_at = _not_ahead(event.occurred_at, now)
    return Login(event.event_id, microseconds(occurred_at), event.account_id, event.outcome == "success")


def read_address(text: str) -> GeoIpRequest:
    """The address in a path. Raises `Problem`."""
    try:
        return GeoIpRequest(ip_address=text)
    except ValidationError as error:
        raise from_validation(error) from None


def _not_ahead(moment: datetime | None, now: datetime) -> datetime:
    if moment is None:
        return now
    if moment - now > AHEAD:
        detail = "More than 5 minutes ahead of this server's clock"
        raise Problem(422, "validation", "Not valid: occurred_at", [FieldError("occurred_at", "ahead", detail)])
    return moment


def _from_request(
    request: TransactionRequest, occurred_at: datetime, rates: Rates
) -> tuple[Transaction, dict[str, FeatureValue]]:
    opened, balance = request.account_opened_at, request.balance_before
    transaction = Transaction(
        transaction_id=request.transaction_id,
        time=microseconds(occurred_at),
        account=request.account_id,
        amount=rates.to_base_scaled(request.amount, request.currency),
        currency=request.currency,
        channel=request.channel,
        auth_method=request.auth_method,
        country=request.geo_country,
        device=request.device_id,
        address=request.ip_address,
        counterparty=request.counterparty_id,
        opened=None if opened is None else microseconds(datetime(opened.year, opened.month, opened.day, tzinfo=UTC)),
        balance_before=None if balance is None else rates.to_base_scaled(balance, request.currency),
    )
    given: dict[str, Any] = request.features.model_dump(exclude_none=True) if request.features else {}
    return transaction, given


def _from_flat(flat: FlatTransaction, now: datetime, rates: Rates) -> tuple[Transaction, dict[str, FeatureValue]]:
    transaction = Transaction(
        transaction_id=flat.transaction_id or f"flat-{uuid.uuid4().hex}",
        time=microseconds(now),
        account=None,
        amount=rates.to_base_scaled(flat.amount, flat.currency),
        currency=flat.currency,
        channel=flat.channel,
        auth_method=flat.auth_method,
        country=flat.geo_country,
    )
    given: dict[str, FeatureValue] = {name: float(getattr(flat, name)) for name in GIVEN_BY_FLAT}
    # The flat body's mean is in the transaction's currency; features are in the base currency.
    average = rates.to_base_scaled(flat.avg_tx_amount_7d, flat.currency)
    given["avg_tx_amount_7d"] = None if average is None else average / MONEY_SCALE
    return transaction, given
