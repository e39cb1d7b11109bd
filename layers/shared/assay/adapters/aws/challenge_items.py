"""The items of the challenges table: what is where, and what is in it.

    pk  C#<challenge>            sk C                        a challenge
    pk  ENDS                     sk <end>#<challenge>        a pending challenge, by when its time is over
    pk  UNSENT                   sk <challenge>              a pending challenge whose code waits: `claimed_until`
    pk  F#<client>#<account>     sk SENDS, CONTACT, APP      what is kept of the account

Challenges are few among decisions: one partition lists each kind, and takes 250 changes a second.
"""

from __future__ import annotations

from collections.abc import Iterator

from assay.adapters.aws.profile_items import Item, key, stamp
from assay.adapters.aws.table import ABSENT, Table, Write, attributes, expiry, values
from assay.challenges.records import Challenge, ChallengeStatus, Delivery, Enrolment, Method, Sends
from assay.features.windows import DAY

KEPT = 30 * DAY
"""How long a challenge is kept after its end. The audit log keeps what became of it."""
SENDS_KEPT = 2 * DAY
"""After the newest: longer than any policy's window."""
ENDS, UNSENT = "ENDS", "UNSENT"


def challenge_key(challenge_id: str) -> Item:
    """A challenge's key."""
    return key(f"C#{challenge_id}", "C")


def sends_key(client_id: str, account_id: str) -> Item:
    """Where an account's sends are."""
    return _of_account(client_id, account_id, "SENDS")


def contact_key(client_id: str, account_id: str) -> Item:
    """Where an account's contact is."""
    return _of_account(client_id, account_id, "CONTACT")


def app_key(client_id: str, account_id: str) -> Item:
    """Where an account's authenticator app is."""
    return _of_account(client_id, account_id, "APP")


def end_of(pointer: Item) -> int:
    """When the time of the challenge is over that the pointer finds."""
    return int(pointer["sk"]["S"].partition("#")[0])


def named(pointer: Item) -> str:
    """The challenge that the pointer finds."""
    return str(pointer["sk"]["S"].rpartition("#")[2])


def challenge_writes(table: Table, challenge: Challenge) -> Iterator[Write]:
    """Puts the challenge in the place of its version before, and what finds it where it has to be found."""
    is_pending = challenge.status is ChallengeStatus.PENDING
    yield _next(table, _item(challenge), challenge.version)
    end = key(ENDS, f"{stamp(challenge.expires_at)}#{challenge.id}")
    if not is_pending:
        yield table.delete(end)
    elif challenge.version == 1:
        yield table.put(end)
    unsent = key(UNSENT, challenge.id)
    if is_pending and challenge.delivery is Delivery.WAITING:
        yield table.put({**unsent, "claimed_until": {"N": str(challenge.claimed_until)}})
    elif challenge.version > 1:
        yield table.delete(unsent)


def sends_write(table: Table, sends: Sends) -> Write:
    """Puts them in the place of their version before."""
    item = {**sends_key(sends.client_id, sends.account_id), **attributes(sends)}
    return _next(table, {**item, **expiry(sends.times[-1] + SENDS_KEPT)}, sends.version)


def app_item(enrolment: Enrolment) -> Item:
    """An authenticator app."""
    return {**app_key(enrolment.client_id, enrolment.account_id), **attributes(enrolment)}


def app_write(table: Table, enrolment: Enrolment) -> Write:
    """Puts the app in the place of its version before."""
    known = {"id": {"S": enrolment.id}, "before": {"N": str(enrolment.version - 1)}}
    return table.put(app_item(enrolment), "id = :id AND version = :before", **known)


def read_challenge(item: Item) -> Challenge:
    """The challenge in its item."""
    known = values(Challenge, {**item, "expires_at": item["ends_at"]})
    method, status, delivery = Method(known["method"]), ChallengeStatus(known["status"]), Delivery(known["delivery"])
    return Challenge(**{**known, "method": method, "status": status, "delivery": delivery})


def read_sends(item: Item) -> Sends:
    """The sends in their item."""
    return Sends(**values(Sends, item))


def read_app(item: Item) -> Enrolment:
    """The app in its item."""
    return Enrolment(**values(Enrolment, item))


def _item(challenge: Challenge) -> Item:
    """With `expires_at` as the table means it: a pending challenge stays, whatever becomes of the sweep."""
    known = attributes(challenge)
    ends_at = known.pop("expires_at")
    until = {} if challenge.status is ChallengeStatus.PENDING else expiry(challenge.expires_at + KEPT)
    return {**challenge_key(challenge.id), **known, "ends_at": ends_at, **until}


def _next(table: Table, item: Item, version: int) -> Write:
    if version == 1:
        return table.put(item, ABSENT)
    return table.put(item, "version = :before", before={"N": str(version - 1)})


def _of_account(client_id: str, account_id: str, what: str) -> Item:
    return key(f"F#{client_id}#{account_id}", what)
