"""What the routes of challenges, contacts and authenticator apps take and give. Not read while serving."""

from __future__ import annotations

from typing import Any

from assay.http import openapi
from assay.schemas.base import IDENTIFIER
from functions.challenges.contracts import (
    ChallengeView,
    Confirmation,
    ContactDetails,
    Enrolled,
    Verification,
    Verified,
)

_CHALLENGE = openapi.path_parameter("challenge_id", description="`challenge.id` of the verdict.")
_ACCOUNT = openapi.path_parameter(
    "account_id", {"type": "string", "minLength": 1, "maxLength": 64, "pattern": IDENTIFIER}
)
_BODY = (400, 413, 415, 422)
_SECURED = (401, 403, 503)
_UNKNOWN = "No challenge of this client has this id; it has one a moment after the verdict"
_ENDED = "It has ended: `already_used`, `failed` or `expired`"
_DONE: dict[str, Any] = {"description": "Done"}
_VIEW = openapi.json("The challenge", openapi.ref(ChallengeView))

_PATHS: dict[str, Any] = {
    "/challenges/{challenge_id}": {
        "get": {
            "summary": "A challenge as it stands",
            "description": "A client sees its own, a person all of them.",
            "operationId": "challenge",
            "security": openapi.SECURED,
            "parameters": [_CHALLENGE],
            "responses": {"200": _VIEW, **openapi.problems(*_SECURED, 404, s404=_UNKNOWN)},
        }
    },
    "/challenges/{challenge_id}/verify": {
        "post": {
            "summary": "Try the code that the customer typed",
            "description": "A wrong code is a problem with `tries_left`; the last wrong one declines the transaction.",
            "operationId": "verify",
            "security": openapi.SECURED,
            "parameters": [_CHALLENGE],
            "requestBody": openapi.body(Verification),
            "responses": {
                "200": openapi.json("The challenge has ended; the final decision", openapi.ref(Verified)),
                **openapi.problems(
                    *_BODY,
                    *_SECURED,
                    404,
                    409,
                    429,
                    s404=_UNKNOWN,
                    s409=_ENDED,
                    s422="A field is not valid and is named; or `wrong_code`, with `tries_left`: the code is wrong, or "
                    "not for this account, amount, currency and counterparty",
                    s429="Too many wrong codes of the account's authenticator app",
                ),
            },
        }
    },
    "/challenges/{challenge_id}/resend": {
        "post": {
            "summary": "Send a new code; the one before is void",
            "operationId": "resend",
            "security": openapi.SECURED,
            "parameters": [_CHALLENGE],
            "responses": {
                "200": _VIEW,
                **openapi.problems(
                    *_SECURED,
                    404,
                    409,
                    429,
                    s404=_UNKNOWN,
                    s409=f"{_ENDED}; or no contact is known (`undeliverable`), or an app shows it (`nothing_to_send`)",
                    s429="The account was sent too many codes",
                    s503="The code was not taken (`undelivered`), or not now",
                ),
            },
        }
    },
    "/accounts/{account_id}/contact": {
        "put": {
            "summary": "Where the account's customer gets codes, in the place of what was known",
            "operationId": "put_contact",
            "security": openapi.SECURED,
            "parameters": [_ACCOUNT],
            "requestBody": openapi.body(ContactDetails),
            "responses": {"204": _DONE, **openapi.problems(*_BODY, *_SECURED)},
        },
        "delete": {
            "summary": "Forget the account's contact",
            "operationId": "remove_contact",
            "security": openapi.SECURED,
            "parameters": [_ACCOUNT],
            "responses": {"204": _DONE, **openapi.problems(*_SECURED, 404, 422, s404="The account has none")},
        },
    },
    "/accounts/{account_id}/totp": {
        "post": {
            "summary": "Enrol an authenticator app, in the place of one that was never confirmed",
            "description": "Once a first code of it was confirmed, it answers the account's challenges.",
            "operationId": "enrol_totp",
            "security": openapi.SECURED,
            "parameters": [_ACCOUNT],
            "responses": {
                "201": openapi.json("The app's secret, which is shown this once", openapi.ref(Enrolled)),
                **openapi.problems(*_SECURED, 409, 422, s409="The account has one that was confirmed; remove it first"),
            },
        },
        "delete": {
            "summary": "Remove the account's authenticator app",
            "operationId": "remove_totp",
            "security": openapi.SECURED,
            "parameters": [_ACCOUNT],
            "responses": {"204": _DONE, **openapi.problems(*_SECURED, 404, 422, s404="The account has none")},
        },
    },
    "/accounts/{account_id}/totp/confirm": {
        "post": {
            "summary": "Confirm the account's authenticator app by a code of it",
            "operationId": "confirm_totp",
            "security": openapi.SECURED,
            "parameters": [_ACCOUNT],
            "requestBody": openapi.body(Confirmation),
            "responses": {
                "204": _DONE,
                **openapi.problems(
                    *_BODY,
                    *_SECURED,
                    404,
                    409,
                    429,
                    s404="The account has none",
                    s409="It was confirmed before",
                    s422="A field is not valid and is named; or the code is wrong (`wrong_code`)",
                    s429="Too many wrong codes",
                ),
            },
        }
    },
}

DESCRIPTION = openapi.Description(
    _PATHS, (Verification, ContactDetails, Confirmation), (ChallengeView, Verified, Enrolled)
)
