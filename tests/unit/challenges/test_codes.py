"""Codes, what they are bound to, the key they are hashed with, and authenticator apps."""

from __future__ import annotations

import base64
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.local.installation_key import KEY_FILE, installation_key
from assay.challenges import totp
from assay.challenges.codes import Offer, binding, digest, new_code, new_salt, position, told
from assay.challenges.ports import CodeMessage
from assay.features.windows import SECOND
from assay.sealing import InstallationKey, SealError

TOKENS = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)
AMOUNTS = st.decimals(min_value="0.001", max_value=10**12, places=3)
BOUND = st.tuples(TOKENS, AMOUNTS, st.sampled_from(["EUR", "USD", "JPY"]), st.none() | TOKENS)
KEY = InstallationKey(bytes(range(32)))

# RFC 6238, appendix B: SHA-1, 8 digits.
RFC_6238 = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
# RFC 4226, appendix D.
RFC_4226 = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
RFC_SECRET = b"12345678901234567890"


def test_codes_are_six_digits_and_all_of_them_come() -> None:
    codes = [new_code() for _ in range(20_000)]
    assert all(re.fullmatch(r"[0-9]{6}", code) for code in codes)
    assert set(Counter(code[0] for code in codes)) == set("0123456789")
    assert len(set(codes)) > 19_000


def test_what_is_the_same_amount_is_spelled_alike() -> None:
    spelled = {binding("a", Decimal(text), "EUR", None) for text in ("100", "100.00", "1E+2", "1e2")}
    assert len(spelled) == 1
    assert told(spelled.pop()) == "100.00 EUR"
    assert told(binding("a", Decimal("1500"), "JPY", "shop-1")) == "1500 JPY to shop-1"
    assert told(binding("a", Decimal("25.125"), "KWD", "shop-1")) == "25.125 KWD to shop-1"


@given(BOUND, BOUND, st.from_regex(r"[0-9]{6}", fullmatch=True), st.from_regex(r"[0-9]{6}", fullmatch=True))
def test_only_the_same_code_for_the_same_thing_has_the_same_digest(first, second, code, other) -> None:
    salt = new_salt()
    same = first == second and code == other
    digests = [digest(KEY.codes, salt, binding(*bound), each) for bound, each in ((first, code), (second, other))]
    assert (position(digests[0], digests[1:]) is not None) == same
    assert digest(KEY.codes, new_salt(), binding(*first), code) != digests[0]
    assert code.encode() not in digests[0]


def test_another_installation_hashes_otherwise() -> None:
    bound, salt = binding("a", Decimal(1), "EUR", None), new_salt()
    assert digest(KEY.codes, salt, bound, "000000") != digest(InstallationKey(bytes(32)).codes, salt, bound, "000000")


@given(st.binary(max_size=100), st.text(max_size=20), st.text(max_size=20))
def test_what_is_sealed_opens_in_its_place_only(data: bytes, client: str, account: str) -> None:
    sealed = KEY.seal(data, "contact", client, account)
    assert KEY.open(sealed, "contact", client, account) == data
    assert sealed != KEY.seal(data, "contact", client, account)
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for wrong, place in (
        (sealed, ("totp", client, account)),
        (sealed, ("contact", f"{client}x", account)),
        (flipped, ("contact", client, account)),
        (sealed[:10], ("contact", client, account)),
        (b"", ("contact", client, account)),
    ):
        with pytest.raises(SealError):
            KEY.open(wrong, *place)
    with pytest.raises(SealError):
        InstallationKey(bytes(32)).open(sealed, "contact", client, account)


def test_the_installation_key_is_made_once_for_its_owner(tmp_path: Path) -> None:
    first = installation_key(tmp_path / "keys")
    file = tmp_path / "keys" / KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [KEY_FILE]
    again = installation_key(tmp_path / "keys")
    assert again.codes == first.codes
    assert again.open(first.seal(b"x", "p"), "p") == b"x"
    file.write_bytes(b"short")
    with pytest.raises(SealError):
        installation_key(tmp_path / "keys")
    assert first.codes.hex() not in repr(first)
    assert "012345" not in repr(Offer("012345", "acct-1"))


@pytest.mark.parametrize(("seconds", "code"), list(RFC_6238.items()))
def test_the_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    step = totp.step_of(seconds * SECOND)
    assert totp.code_at(RFC_SECRET, step, digits=8) == code
    assert totp.code_at(RFC_SECRET, step) == code[2:]


@pytest.mark.parametrize(("counter", "code"), list(enumerate(RFC_4226)))
def test_the_vectors_of_rfc_4226(counter: int, code: str) -> None:
    assert totp.code_at(RFC_SECRET, counter) == code


def test_one_step_around_is_taken() -> None:
    now = 1_000 * totp.STEP_S * SECOND
    assert list(totp.steps_at(now)) == [999, 1000, 1001]
    assert list(totp.steps_at(now - 1)) == [998, 999, 1000]


def test_the_uri_is_what_apps_read() -> None:
    secret = totp.new_secret()
    parts = urlsplit(totp.uri(secret, "My Bank", "acct:1"))
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/My Bank:acct:1")
    parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
    spelled = parameters.pop("secret")
    assert base64.b32decode(spelled + "=" * (-len(spelled) % 8)) == secret
    assert parameters == {"issuer": "My Bank", "algorithm": "SHA1", "digits": "6", "period": "30"}
    assert "+" not in parts.query


def test_a_message_does_not_show_its_code() -> None:
    message = CodeMessage("a", "1 EUR", "123456", 5)
    assert "123456" not in f"{message} {message!r}"
