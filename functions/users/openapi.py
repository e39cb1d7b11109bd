"""What the routes of users and service clients take and give. Not read while serving."""

from __future__ import annotations

from typing import Any

from assay.http import openapi
from assay.http.openapi import Schema
from functions.users.contracts import (
    AccessToken,
    ClientChange,
    ClientPage,
    ClientSecret,
    ClientView,
    Login,
    NewClient,
    PasswordChange,
    Refresh,
    Registered,
    Registration,
    Tokens,
    UserChange,
    UserPage,
    UserView,
)

_ID = openapi.path_parameter("id")
_PAGE = [
    openapi.query_parameter(
        "after", {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"}, "The `next` of the page before."
    ),
    openapi.query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": 100}, "At most so many; 100."),
]
_BODY = (400, 413, 415, 422)
_ADMIN = (401, 403, 503)
_WRONG = "The e-mail address or the password is wrong; it is not told which"
_OVER = "The session is over, or the token is not its newest, with which it is over now"
_THROTTLED = "Too many attempts from this address or at this account; known and unknown accounts alike"
_NOT_A_PERSON = "A service client's token"
_CHANGED = "It was changed meanwhile"
_NOTHING: Schema = {"description": "Done"}
_OAUTH_ERROR: Schema = {
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {
        "error": {
            "type": "string",
            "enum": ["invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type"],
        },
        "error_description": {"type": "string"},
    },
}
_TOKEN_REQUEST: Schema = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "scope": {
            "type": "string",
            "description": "Some of the client's, with spaces between; absent: all.",
        },
        "client_id": {"type": "string", "description": "Unless it is in an Authorization header (Basic)."},
        "client_secret": {"type": "string"},
    },
}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_JWKS: Schema = {
    "type": "object",
    "required": ["keys"],
    "properties": {"keys": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
}


def _operation(
    summary: str,
    operation_id: str,
    responses: dict[str, Any],
    *,
    secured: bool = False,
    **more: Any,  # noqa: ANN401
) -> Schema:
    security = {"security": openapi.SECURED} if secured else {}
    return {"summary": summary, "operationId": operation_id, **security, **more, "responses": responses}


_USERS = {
    "post": _operation(
        "Register; an admin activates the account",
        "register",
        {
            "202": openapi.json("Always alike, also when the address is taken", openapi.ref(Registered)),
            **openapi.problems(*_BODY, 429, 503, s429="Too many registrations from this address"),
        },
        requestBody=openapi.body(Registration),
    ),
    "get": _operation(
        "Users by id",
        "users",
        {"200": openapi.json("A page", openapi.ref(UserPage)), **openapi.problems(*_ADMIN, 422)},
        secured=True,
        parameters=_PAGE,
    ),
}
_ME = {
    "get": _operation(
        "Who you are and what you may do",
        "me",
        {"200": openapi.json("You", openapi.ref(UserView)), **openapi.problems(401, 403, 503, s403=_NOT_A_PERSON)},
        secured=True,
    )
}
_MY_PASSWORD = {
    "post": _operation(
        "Change your password; all your sessions end",
        "change_password",
        {
            "204": _NOTHING,
            **openapi.problems(
                *_BODY,
                401,
                403,
                409,
                429,
                503,
                s401="No valid token, or the current password is wrong",
                s403=_NOT_A_PERSON,
                s409=_CHANGED,
                s429=_THROTTLED,
            ),
        },
        secured=True,
        requestBody=openapi.body(PasswordChange),
    )
}
_USER = {
    "get": _operation(
        "A user",
        "user",
        {"200": openapi.json("The user", openapi.ref(UserView)), **openapi.problems(*_ADMIN, 404)},
        secured=True,
        parameters=[_ID],
    ),
    "patch": _operation(
        "Change role or status; the user's sessions end",
        "change_user",
        {
            "200": openapi.json("The user", openapi.ref(UserView)),
            **openapi.problems(*_ADMIN, *_BODY, 404, 409, s409=f"No active admin would be left. Or: {_CHANGED}"),
        },
        secured=True,
        parameters=[_ID],
        requestBody=openapi.body(UserChange),
    ),
}
_LOGIN = {
    "post": _operation(
        "Log in",
        "log_in",
        {
            "200": openapi.json("The tokens of a new session", openapi.ref(Tokens)),
            **openapi.problems(
                *_BODY,
                401,
                403,
                409,
                429,
                503,
                s401=_WRONG,
                s403="The password is right, but the account is not active",
                s409=_CHANGED,
                s429=_THROTTLED,
            ),
        },
        requestBody=openapi.body(Login),
    )
}
_REFRESH = {
    "post": _operation(
        "New tokens for the session's newest refresh token, which is used up with it",
        "refresh",
        {
            "200": openapi.json("Tokens", openapi.ref(Tokens)),
            **openapi.problems(*_BODY, 401, 503, s401=_OVER),
        },
        requestBody=openapi.body(Refresh),
    )
}
_LOGOUT = {
    "post": _operation(
        "End the session; its tokens are void at once",
        "logout",
        {"204": _NOTHING, **openapi.problems(401, 403, 503, s403=_NOT_A_PERSON)},
        secured=True,
    )
}
_TOKEN = {
    "post": _operation(
        "A service client's access token (OAuth 2, client credentials)",
        "token",
        {
            "200": openapi.json("The token", openapi.ref(AccessToken)),
            "400": openapi.json("As RFC 6749 says it", openapi.ref("OAuthError")),
            "401": openapi.json("The client's id or secret is wrong", openapi.ref("OAuthError"))
            | {"headers": _CHALLENGE},
            **openapi.problems(413, 415, 429, 503, s429="Too many wrong secrets"),
        },
        requestBody={
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": openapi.ref("TokenRequest")}},
        },
    )
}
_CLIENTS = {
    "post": _operation(
        "Add a service client",
        "add_client",
        {
            "201": openapi.json("The client, with its secret, which is shown this once", openapi.ref(ClientSecret)),
            **openapi.problems(*_ADMIN, *_BODY, 409, s409="The id is taken"),
        },
        secured=True,
        requestBody=openapi.body(NewClient),
    ),
    "get": _operation(
        "Service clients by id",
        "clients",
        {"200": openapi.json("A page", openapi.ref(ClientPage)), **openapi.problems(*_ADMIN, 422)},
        secured=True,
        parameters=_PAGE,
    ),
}
_CLIENT = {
    "patch": _operation(
        "Change scopes or status; the client's tokens are void",
        "change_client",
        {
            "200": openapi.json("The client", openapi.ref(ClientView)),
            **openapi.problems(*_ADMIN, *_BODY, 404, 409, s409=_CHANGED),
        },
        secured=True,
        parameters=[_ID],
        requestBody=openapi.body(ClientChange),
    )
}
_SECRET = {
    "post": _operation(
        "A new secret; the one before and the client's tokens are void",
        "new_secret",
        {
            "200": openapi.json("The client, with its secret, which is shown this once", openapi.ref(ClientSecret)),
            **openapi.problems(*_ADMIN, 404, 409, s409=_CHANGED),
        },
        secured=True,
        parameters=[_ID],
    )
}
_KEYS = {
    "get": _operation(
        "The keys that access tokens are signed with (JWKS)",
        "jwks",
        {"200": openapi.json("Public keys, to be read again after a minute", _JWKS), **openapi.problems(503)},
    )
}

DESCRIPTION = openapi.Description(
    {
        "/users": _USERS,
        "/users/me": _ME,
        "/users/me/password": _MY_PASSWORD,
        "/users/{id}": _USER,
        "/auth/login": _LOGIN,
        "/auth/refresh": _REFRESH,
        "/auth/logout": _LOGOUT,
        "/oauth/token": _TOKEN,
        "/clients": _CLIENTS,
        "/clients/{id}": _CLIENT,
        "/clients/{id}/secret": _SECRET,
        "/.well-known/jwks.json": _KEYS,
    },
    (Registration, Login, Refresh, PasswordChange, UserChange, NewClient, ClientChange),
    (Registered, Tokens, AccessToken, UserView, UserPage, ClientView, ClientPage, ClientSecret),
    {"OAuthError": _OAUTH_ERROR, "TokenRequest": _TOKEN_REQUEST},
)
