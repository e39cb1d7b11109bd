import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.problems import Problem
from assay.security import TokenVerifier
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
    key = serialization.load_pem_private_key((keys / "token-signing.pem").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    payload = {name: value for name, value in {**good, **claims}.items() if name != drop}
    return jwt.encode(payload, key, algorithm="EdDSA", headers={**good_header, **(header or {})})


def refused(verifier: TokenVerifier, authorization: str | None, scope: str = "score:write") -> int:
    with pytest.raises(Problem) as problem:
        verifier.authenticate(authorization, scope)
    return problem.value.status


def test_a_good_token_is_accepted_and_again_from_memory(keys: Path, verifier: TokenVerifier) -> None:
    token = f"Bearer {tokens.mint(keys, 'bank-1', ('score:write',), 60)}"
    first = verifier.authenticate(token, "score:write")
    assert first.client_id == "bank-1"
    assert verifier.authenticate(token, "score:write") is first


def test_a_missing_scope_is_forbidden(keys: Path, verifier: TokenVerifier) -> None:
    token = f"Bearer {tokens.mint(keys, 'bank-1', ('decisions:read',), 60)}"
    assert refused(verifier, token) == 403


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
        {"nbf": int(time.time()) + 600},
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
    original = tokens.verifier(keys)
    verifier = TokenVerifier(original._keys, tokens.ISSUER, tokens.AUDIENCE, clock=lambda: now[0])
    token = f"Bearer {tokens.mint(keys, 'c', ('score:write',), 2)}"
    verifier.authenticate(token, "score:write")
    now[0] += 3
    time_travel = pytest.MonkeyPatch()
    with time_travel.context() as patch:
        patch.setattr(verifier, "_verify", lambda token: (_ for _ in ()).throw(Problem(401, "unauthorized", "expired")))
        assert refused(verifier, token) == 401


def test_the_signing_key_is_private_and_made_once(keys: Path) -> None:
    tokens.verifier(keys)
    before = (keys / "token-signing.pem").read_bytes()
    assert (keys / "token-signing.pem").stat().st_mode & 0o077 == 0
    tokens.verifier(keys)
    assert (keys / "token-signing.pem").read_bytes() == before
