"""Signatures, with the reference library as an oracle in both directions."""

from __future__ import annotations

import base64
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from assay.webhooks.signing import ID, LONGEST, SHORTEST, SIGNATURE, TIMESTAMP, Secret, signed_headers, verify

NOW = 1_760_000_000
BODY = b'{"type":"alert.raised"}'
KEYS = st.binary(min_size=SHORTEST, max_size=LONGEST)


def spelled(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


OLD, NEW, OTHER = (Secret.parse(spelled(bytes([n]) * 32)) for n in (1, 2, 3))


def test_the_example_of_the_specification() -> None:
    secret = Secret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert headers[SIGNATURE] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(KEYS, st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), st.text())
def test_the_reference_accepts_what_is_signed(key: bytes, message_id: str, text: str) -> None:
    body = json.dumps({"text": text}).encode()
    now = int(datetime.now().timestamp())
    headers = signed_headers(message_id, now, body, [OTHER, Secret.parse(spelled(key))])
    assert Webhook(spelled(key)).verify(body, headers) == {"text": text}
    with pytest.raises(WebhookVerificationError):
        Webhook(spelled(key)).verify(body + b" ", headers)


@given(KEYS, st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), st.text(st.characters(codec="utf-8")))
def test_what_the_reference_signs_is_accepted(key: bytes, message_id: str, text: str) -> None:
    signature = Webhook(spelled(key)).sign(message_id, datetime.fromtimestamp(NOW), text)
    # the reference takes a naive time for UTC: the timestamp is asked of it, not computed again
    signed_at = int(datetime.fromtimestamp(NOW).replace(tzinfo=datetime.now().astimezone().tzinfo).timestamp())
    headers = {ID: message_id, TIMESTAMP: str(signed_at), SIGNATURE: signature}
    assert verify(headers, text.encode(), [Secret.parse(spelled(key))], signed_at)


def test_in_a_rotation_either_secret_will_do() -> None:
    headers = signed_headers("m", NOW, BODY, [NEW, OLD])
    assert len(headers[SIGNATURE].split(" ")) == 2
    for known in ([OLD], [NEW], [OTHER, OLD]):
        assert verify(headers, BODY, known, NOW)
    assert not verify(headers, BODY, [OTHER], NOW)
    assert not verify(headers, BODY, [], NOW)


GOOD = signed_headers("m", NOW, BODY, [OLD])
WRONG = {
    "another body": (GOOD, b"{}"),
    "another id": ({**GOOD, ID: "n"}, BODY),
    "another time": ({**GOOD, TIMESTAMP: str(NOW + 1)}, BODY),
    "no id": ({**GOOD, ID: ""}, BODY),
    "no signature": ({**GOOD, SIGNATURE: ""}, BODY),
    "an empty signature": ({**GOOD, SIGNATURE: "v1,"}, BODY),
    "another version": ({**GOOD, SIGNATURE: GOOD[SIGNATURE].replace("v1,", "v1a,")}, BODY),
    "not base64": ({**GOOD, SIGNATURE: "v1,\u20ac"}, BODY),
    "cut": ({**GOOD, SIGNATURE: GOOD[SIGNATURE][:-1]}, BODY),
    "no headers": ({}, BODY),
    "a time that is text": ({**GOOD, TIMESTAMP: "yesterday"}, BODY),
    "a time below zero": ({**GOOD, TIMESTAMP: "-1"}, BODY),
    "a time in other digits": ({**GOOD, TIMESTAMP: "١٧٦٠٠٠٠٠٠٠"}, BODY),
    "a time of a thousand digits": ({**GOOD, TIMESTAMP: "1" * 1000}, BODY),
    "too many signatures": ({**GOOD, SIGNATURE: "v1,x " * 100 + GOOD[SIGNATURE]}, BODY),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_as_it_was_signed_is_refused(name: str) -> None:
    headers, body = WRONG[name]
    assert not verify(headers, body, [OLD], NOW)


@pytest.mark.parametrize(("off_s", "accepted"), [(-301, False), (-300, True), (0, True), (300, True), (300.5, False)])
def test_a_message_is_good_for_five_minutes(off_s: float, accepted: bool) -> None:
    assert verify(GOOD, BODY, [OLD], NOW + off_s) is accepted


BAD_SECRETS = [
    "",
    "whsec_",
    "whsec_short",
    "whsec_" + base64.b64encode(b"x" * 23).decode(),
    "whsec_" + base64.b64encode(b"x" * 65).decode(),
    base64.b64encode(b"x" * 32).decode(),
    "whsec_" + base64.b64encode(b"x" * 32).decode().rstrip("="),
    "whsec_ß" + base64.b64encode(b"x" * 32).decode(),
    " " + spelled(b"x" * 32),
    spelled(b"x" * 32) + "\n",
]


@pytest.mark.parametrize("text", BAD_SECRETS)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="a webhook secret should") as refused:
        Secret.parse(text)
    assert len(text) < 10 or text.removeprefix("whsec_") not in str(refused.value)


@pytest.mark.parametrize("size", [24, 64])
def test_the_shortest_and_the_longest_secret(size: int) -> None:
    Secret.parse(spelled(b"x" * size))


def test_a_secret_is_not_shown() -> None:
    assert repr(OLD) == str(OLD) == "Secret()"


@pytest.mark.parametrize(("message_id", "secrets"), [("m", []), ("a.b", [OLD])])
def test_what_cannot_be_signed(message_id: str, secrets: list[Secret]) -> None:
    with pytest.raises(ValueError, match="needs"):
        signed_headers(message_id, NOW, BODY, secrets)
