"""What the routes of labels take and give. Not read while serving: the document is made of it beforehand."""

from __future__ import annotations

from typing import Any

from assay.http import openapi
from assay.labels.contracts import LabelRequest
from functions.post_auth_intelligence.app import CURSOR, MAX_PAGE
from functions.post_auth_intelligence.feedback_csv import ImportReport
from functions.post_auth_intelligence.rule_feedback import RuleFeedback
from functions.post_auth_intelligence.views import Everything, LabelAnswer, WaitingPage

_TEXT = {"type": "string"}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50}
_DAYS = {"type": "integer", "minimum": 1, "maximum": 3_660, "default": 90}
_CLIENT = "Persons name the client that sent the transactions; a client's own are its own."

_PATHS: dict[str, Any] = {
    "/feedback": {
        "get": {
            "summary": "Labels that wait for a second person, longest first",
            "description": "Another person confirms one by sending the same label. A client sees its own.",
            "operationId": "waiting_labels",
            "security": openapi.SECURED,
            "parameters": [
                openapi.query_parameter("after", {"type": "string", "pattern": CURSOR}, "`next` of the page before."),
                openapi.query_parameter("limit", _LIMIT, "Transactions per page."),
            ],
            "responses": {
                "200": openapi.json("One page", openapi.ref(WaitingPage)),
                **openapi.problems(401, 403, 422, 503),
            },
        },
        "post": {
            "summary": "Say what a transaction turned out to be",
            "description": "Late labels are welcome, and may be changed: the newest is in effect, all are kept. "
            "Saying the same again changes nothing. Beyond a sender's daily allowance a label is `pending` until "
            "another person sends the same.",
            "operationId": "label",
            "security": openapi.SECURED,
            "requestBody": openapi.body(LabelRequest),
            "responses": {
                "200": openapi.json("What became of it", openapi.ref(LabelAnswer)),
                **openapi.problems(
                    400, 401, 403, 404, 409, 413, 415, 422, 503, s404="The client has no such transaction"
                ),
            },
        },
    },
    "/feedback/import": {
        "post": {
            "summary": "Labels from a CSV file of at most 4 MB, on AWS of at most 250 rows",
            "description": "The first line names the columns: transaction_id, label, and any of client_id, "
            "labelled_at, note. What can be read is taken; rows that cannot are listed by their line.",
            "operationId": "import_labels",
            "security": openapi.SECURED,
            "parameters": [openapi.query_parameter("client_id", _TEXT, "Of rows that name none, for persons.")],
            "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}},
            "responses": {
                "200": openapi.json("What became of the rows", openapi.ref(ImportReport)),
                **openapi.problems(
                    400, 401, 403, 413, 415, 422, 503, s400="The body ended early", s413="The file is too long"
                ),
            },
        }
    },
    "/feedback/{transaction_id}": {
        "get": {
            "summary": "Everything that was said of a transaction, and how its step-up ended",
            "description": "A step-up is weak evidence and never a label.",
            "operationId": "labels",
            "security": openapi.SECURED,
            "parameters": [
                openapi.path_parameter("transaction_id"),
                openapi.query_parameter("client_id", _TEXT, _CLIENT),
            ],
            "responses": {
                "200": openapi.json("All opinions, and the label in effect", openapi.ref(Everything)),
                **openapi.problems(401, 403, 404, 422, 503),
            },
        }
    },
    "/intelligence/rules": {
        "get": {
            "summary": "How each rule has done on labelled transactions",
            "description": "For persons: precision, recall, false positives and the fraud that no other rule caught.",
            "operationId": "rule_feedback",
            "security": openapi.SECURED,
            "parameters": [openapi.query_parameter("days", _DAYS, "Decided in the days before now.")],
            "responses": {
                "200": openapi.json("By rule, and by threshold of the score", openapi.ref(RuleFeedback)),
                **openapi.problems(401, 403, 422, 503),
            },
        }
    },
}

DESCRIPTION = openapi.Description(
    _PATHS, inputs=(LabelRequest,), outputs=(LabelAnswer, Everything, WaitingPage, ImportReport, RuleFeedback)
)
