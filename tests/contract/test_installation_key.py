"""The installation's key out of a secret as AWS makes it, and out of nothing else."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any
from uuid import uuid4

import pytest

from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.installation_key import SCHEME, read_installation_key
from assay.errors import StorageError
from assay.sealing import InstallationKey, SealError
from local.aws import resources
from tests.contract.installations import PATIENT_S, template

OTHERS = {
    "empty": "",
    "too short": "a" * 63,
    "too long": "a" * 65,
    "punctuation": "a" * 63 + "-",
    "a line end": "a" * 64 + "\n",
    "other letters": "ä" * 64,
    "a webhook's secret": "whsec_" + "c2VjcmV0" * 4,
    "JSON": '{"key": "' + "a" * 53 + '"}',
}


def read(place: str) -> InstallationKey:
    async def scenario() -> InstallationKey:
        clients = Clients()
        try:
            return await read_installation_key(place, await clients.open("secretsmanager", patient(PATIENT_S)))
        finally:
            await clients.close()

    return asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.fixture
def secrets(aws_environment: pytest.MonkeyPatch, moto_endpoint: str) -> Any:
    return resources.client("secretsmanager", moto_endpoint)


def kept(secrets: Any, text: str) -> str:
    """The place of a new secret."""
    arn = secrets.create_secret(Name=f"key-{uuid4().hex[:12]}", SecretString=text)["ARN"]
    return f"{SCHEME}{arn}"


def test_what_aws_makes_is_a_key(secrets: Any) -> None:
    given = template().resources["InstallationKeySecret"]["Properties"]["GenerateSecretString"]
    made = [secrets.get_random_password(**given)["RandomPassword"] for _ in range(2)]
    places = [kept(secrets, text) for text in made]
    first, again, other = read(places[0]), read(places[0]), read(places[1])
    sealed = first.seal(b"data", "contact", "shop", "a-1")
    assert again.open(sealed, "contact", "shop", "a-1") == b"data"
    assert again.codes == first.codes != other.codes
    with pytest.raises(SealError):
        other.open(sealed, "contact", "shop", "a-1")


def test_it_is_derived_as_rfc_5869_says(secrets: Any) -> None:
    """Written out: a change would make all that is kept unreadable."""
    text = "Abc123xyz" * 7 + "0"
    extracted = hmac.digest(bytes(32), text.encode(), "sha256")
    expected = InstallationKey(hmac.digest(extracted, b"assay.installation-key.v1\x01", "sha256"))
    assert read(kept(secrets, text)).codes == expected.codes


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_another_text_is_no_key_and_is_not_told(secrets: Any, text: str) -> None:
    with pytest.raises(SealError, match="64 letters and digits") as refused:
        read(kept(secrets, text or " "))
    assert not text or text not in str(refused.value)


def test_a_secret_that_is_not_there(secrets: Any) -> None:
    with pytest.raises(StorageError, match="ResourceNotFound"):
        read(f"{SCHEME}arn:aws:secretsmanager:us-east-1:123456789012:secret:nothing-AbCdEf")
