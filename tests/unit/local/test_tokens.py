import json
from pathlib import Path

from local.tokens import jwks


def test_the_published_keys_hold_no_private_part(tmp_path: Path) -> None:
    assert all("d" not in key for key in json.loads(jwks(tmp_path))["keys"])
