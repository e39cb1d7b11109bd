import asyncio
import json
import time
from pathlib import Path

import jwt
import pytest

from assay.adapters.local.signing_keys import FILE, FolderSigningKeys
from assay.identity.signing import LONGEST_LIFE_S
from assay.identity.tokens import RELOAD_FOR_UNKNOWN_S, RELOAD_S, Principal, TokenVerifier
from assay.problems import Problem
from local import tokens


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def verifier(keys: Path) -> TokenVerifier:
    return tokens.verifier(keys)


def forge(keys: Path, header: dict[str, object] | None = None, drop: str = "", **claims: object) -> str:
    """A token signed with the right key, with other claims or headers."""
    good = jwt.decode(tokens.mint(keys, "c", ("score:write",), 60), options={"verify_signature": False})
    good_header = jwt.get_unverified_header(tokens.mint(keys, "c", ("score:write",), 60))
    key = FolderSigningKeys(keys).read().keys[0].private
    payload = {name: value for name, value in {**good, **claims}.items() if name != drop}
    return jwt.encode(payload, key, algorithm="EdDSA", headers={**good_header, **(header or {})})


def accepted(verifier: TokenVerifier, token: str) -> Principal:
    return asyncio.run(verifier.authenticate(f"Bearer {token}"))


def refused(verifier: TokenVerifier, authorization: str | None) -> int:
    with pytest.raises(Problem) as problem:
        asyncio.run(verifier.authenticate(authorization))
    return problem.value.status


def test_a_good_token_is_accepted_and_again_from_memory(keys: Path, verifier: TokenVerifier) -> None:
    token = tokens.mint(keys, "bank-1", ("score:write",), 60)
    first = accepted(verifier, token)
    assert (first.subject, first.scopes, first.session, first.role) == ("bank-1", {"score:write"}, None, None)
    assert accepted(verifier, token) is first


@pytest.mark.parametrize(
    "header", [None, "", "Basic x", "Bearer", "Bearer ", "Bearer a.b.c", "Bearer " + "x" * 5_000_000]
)
def test_what_is_no_token_is_refused(verifier: TokenVerifier, header: str | None) -> None:
    assert refused(verifier, header) == 401


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub", "jti", "scope"])
def test_every_claim_is_required(keys: Path, verifier: TokenVerifier, claim: str) -> None:
    assert refused(verifier, f"Bearer {forge(keys, drop=claim)}") == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 10},
        {"iss": "somebody"},
        {"aud": "another"},
        {"aud": ["assay", "another"]},
        {"sub": ""},
        {"sub": 7},
        {"nbf": int(time.time()) + 86_400},
    ],
)
def test_wrong_claims_are_refused(keys: Path, verifier: TokenVerifier, claims: dict[str, object]) -> None:
    assert refused(verifier, f"Bearer {forge(keys, **claims)}") == 401


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"kid": "../../etc/passwd"}, {"crit": ["x"], "x": 1}])
def test_wrong_headers_are_refused(keys: Path, verifier: TokenVerifier, header: dict[str, object]) -> None:
    assert refused(verifier, f"Bearer {forge(keys, header)}") == 401


def test_other_algorithms_and_keys_are_refused(keys: Path, tmp_path: Path, verifier: TokenVerifier) -> None:
    header, payload, signature = tokens.mint(keys, "c", ("score:write",), 60).split(".")
    none = jwt.utils.base64url_encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).decode()
    assert refused(verifier, f"Bearer {none}.{payload}.") == 401
    assert refused(verifier, f"Bearer {header}.{payload}.") == 401
    assert refused(verifier, f"Bearer {header}.{payload}.{signature[:-4]}AAAA") == 401
    kid = jwt.get_unverified_header(f"{header}.{payload}.{signature}")["kid"]
    claims = jwt.decode(f"{header}.{payload}.{signature}", options={"verify_signature": False})
    symmetric = jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": kid, "typ": "at+jwt"})
    assert refused(verifier, f"Bearer {symmetric}") == 401
    other = tokens.mint(tmp_path / "other", "c", ("score:write",), 60)
    assert refused(verifier, f"Bearer {other}") == 401


def test_a_remembered_token_still_expires(keys: Path) -> None:
    now = [time.time()]
    verifier = TokenVerifier(FolderSigningKeys(keys).jwks, tokens.ISSUER, tokens.AUDIENCE, clock=lambda: now[0])
    expired = forge(keys, exp=int(time.time()) + 1)
    accepted(verifier, expired)
    now[0] += 3
    with pytest.MonkeyPatch.context() as patch:  # what PyJWT says once its own clock is there
        patch.setattr(jwt, "decode", lambda *_, **__: (_ for _ in ()).throw(jwt.ExpiredSignatureError))
        assert refused(verifier, f"Bearer {expired}") == 401


class Clocked:
    """A verifier whose clock is set by hand, over keys that are counted as they are read."""

    def __init__(self, keys: Path) -> None:
        self.now = time.time()
        self.reads = 0
        self.keys = FolderSigningKeys(keys, clock=lambda: self.now)
        self.verifier = TokenVerifier(self._read, tokens.ISSUER, tokens.AUDIENCE, clock=lambda: self.now)

    async def _read(self) -> str:
        self.reads += 1
        return await self.keys.jwks()


def test_after_a_rotation_old_tokens_stay_good_and_new_ones_are_at_once(keys: Path) -> None:
    clocked = Clocked(keys)
    old = tokens.mint(keys, "old", ("score:write",), 60)
    accepted(clocked.verifier, old)
    clocked.keys.rotate()
    clocked.now += RELOAD_FOR_UNKNOWN_S
    assert accepted(clocked.verifier, tokens.mint(keys, "new", ("score:write",), 60)).subject == "new"
    assert accepted(clocked.verifier, old).subject == "old"
    assert len(clocked.keys.read().keys) == 2


def test_a_retired_key_is_dropped_once_its_last_token_has_expired(keys: Path) -> None:
    clocked = Clocked(keys)
    clocked.keys.rotate()
    clocked.now += LONGEST_LIFE_S + 1
    assert len(json.loads(clocked.keys.read().jwks(clocked.now))["keys"]) == 1
    assert len(clocked.keys.rotate().keys) == 2


def test_what_a_withdrawn_key_has_signed_is_void_within_a_minute(keys: Path) -> None:
    clocked = Clocked(keys)
    token = tokens.mint(keys, "thief", ("score:write",), 600)
    accepted(clocked.verifier, token)
    clocked.keys.rotate(withdraw=True)
    clocked.now += RELOAD_S
    assert refused(clocked.verifier, f"Bearer {token}") == 401


def test_made_up_key_ids_do_not_make_it_read_the_keys_all_the_time(keys: Path, tmp_path: Path) -> None:
    clocked = Clocked(keys)
    for number in range(20):
        refused(clocked.verifier, f"Bearer {tokens.mint(tmp_path / str(number), 'x', (), 60)}")
    assert clocked.reads == 1


def test_keys_that_cannot_be_read_again_leave_those_that_are_known(keys: Path) -> None:
    clocked = Clocked(keys)
    token = tokens.mint(keys, "bank", ("score:write",), 600)
    accepted(clocked.verifier, token)
    (keys / FILE).write_text("broken")
    clocked.now += RELOAD_S
    assert accepted(clocked.verifier, token).subject == "bank"


def test_the_signing_key_is_private_and_made_once(keys: Path) -> None:
    first = tokens.jwks(keys)
    assert (keys / FILE).stat().st_mode & 0o077 == 0
    assert tokens.jwks(keys) == first
