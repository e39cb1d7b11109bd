"""What the routes of feeds and webhooks take and give. Not read while serving."""

from __future__ import annotations

from typing import Any

from assay.http import openapi
from functions.client_events.app import MAX_PAGE, MAX_SEQUENCE
from functions.client_events.contracts import CreatedWebhook, EventPage, NewSecret, NewWebhook, WebhookList

_WEBHOOK = openapi.path_parameter("webhook_id", description="Of `POST /webhooks`.")
_AFTER = {"type": "integer", "minimum": 0, "maximum": MAX_SEQUENCE, "default": 0}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 100}
_UNKNOWN = "The client has no webhook with this id"
_SECURED = (401, 403, 503)

_PATHS: dict[str, Any] = {
    "/events": {
        "get": {
            "summary": "Final decisions and changes of accounts, oldest first",
            "description": "A client sees what concerns its own transactions; a person names the client. Kept for 30 "
            "days. Ask again with `next` as `after`, now or later: nothing is left out.",
            "operationId": "events",
            "security": openapi.SECURED,
            "parameters": [
                openapi.query_parameter("after", _AFTER, "`next` of the page before; 0: from the beginning."),
                openapi.query_parameter("limit", _LIMIT, "Events per page."),
                openapi.query_parameter("client_id", {"type": "string"}, "For persons: whose."),
            ],
            "responses": {
                "200": openapi.json("One page; empty: there are no more yet", openapi.ref(EventPage)),
                **openapi.problems(*_SECURED, 422),
            },
        }
    },
    "/webhooks": {
        "get": {
            "summary": "The client's webhooks, and how they are doing",
            "operationId": "webhooks",
            "security": openapi.SECURED,
            "responses": {
                "200": openapi.json("All of them, without their secrets", openapi.ref(WebhookList)),
                **openapi.problems(*_SECURED),
            },
        },
        "post": {
            "summary": "Have events pushed to a URL, signed as Standard Webhooks says",
            "operationId": "add_webhook",
            "security": openapi.SECURED,
            "requestBody": openapi.body(NewWebhook),
            "responses": {
                "201": openapi.json("Its id, and its secret, which is shown this once", openapi.ref(CreatedWebhook)),
                **openapi.problems(
                    400, *_SECURED, 409, 413, 415, 422, s409="The client has as many webhooks as it may"
                ),
            },
        },
    },
    "/webhooks/{webhook_id}": {
        "delete": {
            "summary": "Push nothing more to it",
            "operationId": "remove_webhook",
            "security": openapi.SECURED,
            "parameters": [_WEBHOOK],
            "responses": {"204": {"description": "Done"}, **openapi.problems(*_SECURED, 404, s404=_UNKNOWN)},
        }
    },
    "/webhooks/{webhook_id}/secret": {
        "post": {
            "summary": "A new secret; for 24 hours messages are signed with the one before, too",
            "operationId": "rotate_webhook_secret",
            "security": openapi.SECURED,
            "parameters": [_WEBHOOK],
            "responses": {
                "200": openapi.json("The secret, which is shown this once", openapi.ref(NewSecret)),
                **openapi.problems(
                    *_SECURED, 404, 409, s404=_UNKNOWN, s409="The secret was changed too often in 24 hours"
                ),
            },
        }
    },
}

DESCRIPTION = openapi.Description(_PATHS, (NewWebhook,), (EventPage, CreatedWebhook, NewSecret, WebhookList))
