"""What a token may allow, and which role has what."""

from __future__ import annotations

from enum import StrEnum

SCORE = "score:write"
EVENTS = "events:write"
EVENTS_READ = "events:read"
WEBHOOKS = "webhooks:write"
DECISIONS = "decisions:read"
LABELS = "labels:write"
ALERTS = "alerts:read"
AUDIT = "audit:read"
IDENTITY = "identity:admin"
ACCOUNTS = "accounts:read"
RELEASE = "accounts:release"
CHALLENGES = "challenges:write"
CHALLENGES_READ = "challenges:read"
INTELLIGENCE = "intelligence:read"
"""What is seen over all clients' transactions: for persons."""

CLIENT_SCOPES = (
    *(SCORE, EVENTS, EVENTS_READ, WEBHOOKS, DECISIONS, LABELS, ALERTS, AUDIT),
    *(ACCOUNTS, CHALLENGES, CHALLENGES_READ),
)
"""What a service client can be given: neither the administration of users and clients nor what persons answer for."""


class Role(StrEnum):
    """What a person is; each role may do what the one before may, and more."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    LEAD = "lead"
    ADMIN = "admin"


_ADDED = {
    Role.VIEWER: (DECISIONS, EVENTS_READ, ALERTS, ACCOUNTS, CHALLENGES_READ, INTELLIGENCE),
    Role.ANALYST: (LABELS, RELEASE),
    Role.LEAD: (AUDIT,),
    Role.ADMIN: (IDENTITY,),
}


def scopes_of(role: Role) -> tuple[str, ...]:
    """Every scope of the role."""
    roles = list(Role)
    return tuple(scope for each in roles[: roles.index(role) + 1] for scope in _ADDED[each])
