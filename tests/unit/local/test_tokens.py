import json
from pathlib import Path

from assay.security import TokenVerifier
from local.tokens import AUDIENCE, ISSUER, jwks, mint


def test_the_published_keys_verify_the_tokens_and_hold_no_private_part(tmp_path: Path) -> None:
    published = jwks(tmp_path)
    token = mint(tmp_path, "bank", ("score:write",), 60)
    principal = TokenVerifier.from_jwks(published, ISSUER, AUDIENCE).authenticate(f"Bearer {token}", "score:write")
    assert principal.client_id == "bank"
    assert all("d" not in key for key in json.loads(published)["keys"])
