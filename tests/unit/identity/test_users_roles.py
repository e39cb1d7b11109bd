from itertools import pairwise

import pytest

from assay.identity.scopes import CLIENT_SCOPES, IDENTITY, Role, scopes_of

VIEWERS = {"decisions:read", "events:read", "alerts:read", "accounts:read", "challenges:read", "intelligence:read"}


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        (Role.VIEWER, VIEWERS),
        (Role.ANALYST, {*VIEWERS, "labels:write", "accounts:release"}),
        (Role.LEAD, {*VIEWERS, "labels:write", "accounts:release", "audit:read"}),
        (Role.ADMIN, {*VIEWERS, "labels:write", "accounts:release", "audit:read", "identity:admin"}),
    ],
)
def test_what_each_role_may(role: Role, scopes: set[str]) -> None:
    assert (set(scopes_of(role)), len(scopes_of(role))) == (scopes, len(scopes))


def test_each_role_may_more_than_the_one_before_and_nobody_scores() -> None:
    roles = list(Role)
    for lower, higher in pairwise(roles):
        assert set(scopes_of(lower)) < set(scopes_of(higher))
    assert {"score:write", "events:write"}.isdisjoint(scopes_of(Role.ADMIN))


def test_no_service_client_administers() -> None:
    assert IDENTITY not in CLIENT_SCOPES
