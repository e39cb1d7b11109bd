"""Signing keys in Secrets Manager, the published halves in S3, and the commands for a deployed installation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.jwks import jwks_source
from assay.adapters.aws.signing_keys import FRESH_S, SecretSigningKeys, rotate
from assay.errors import SettingsError, StorageError
from assay.identity.signing import LONGEST_LIFE_S, Issuer, KeyRing, SigningKeysError
from assay.identity.tokens import TokenVerifier
from assay.problems import Problem
from local.aws import resources
from local.cli import app
from tests.contract.faults import Faults
from tests.contract.installations import PATIENT_S, AwsInstallation, run

ISSUER = Issuer("assay", "assay")
NOW = 1_790_000_000.0


@dataclass
class Place:
    """A secret without a value and a bucket."""

    endpoint: str
    name: str = field(default_factory=lambda: uuid4().hex[:12])

    def __post_init__(self) -> None:
        self.secrets = resources.client("secretsmanager", self.endpoint)
        self.s3 = resources.client("s3", self.endpoint)
        self.secret = self.secrets.create_secret(Name=f"keys-{self.name}")["ARN"]
        self.s3.create_bucket(Bucket=self.name)
        self.jwks = f"s3://{self.name}/identity/jwks.json"

    def published(self) -> list[str]:
        body = self.s3.get_object(Bucket=self.name, Key="identity/jwks.json")["Body"].read()
        return [key["kid"] for key in json.loads(body)["keys"]]

    def value(self) -> str:
        found: str = self.secrets.get_secret_value(SecretId=self.secret, VersionStage="AWSCURRENT")["SecretString"]
        return found

    def kids(self) -> list[str]:
        """Of the secret, the one that signs first."""
        return kids(KeyRing.from_json(self.value(), "test"))

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        clients = Clients()
        try:
            yield await clients.open("secretsmanager", patient(PATIENT_S))
        finally:
            await clients.close()

    async def rotate(self, now: float = NOW, *, withdraw: bool = False) -> KeyRing:
        async with self.client() as client:
            return await rotate(client, self.secret, self.jwks, now, withdraw=withdraw)

    async def accepts(self, *tokens: str) -> list[bool]:
        """By a verifier that has just started."""
        verifier = TokenVerifier(jwks_source(self.jwks), ISSUER.name, ISSUER.audience)
        return [await _is_good(verifier, token) for token in tokens]


async def _is_good(verifier: TokenVerifier, token: str) -> bool:
    try:
        await verifier.authenticate(f"Bearer {token}")
    except Problem:
        return False
    return True


def kids(ring: KeyRing) -> list[str]:
    return [key.jwk()["kid"] for key in ring.keys]


@pytest.fixture
def place(aws_environment: pytest.MonkeyPatch, moto_endpoint: str, faults: Faults) -> Place:
    return Place(moto_endpoint)


def test_the_first_rotation_makes_the_first_key(place: Place) -> None:
    async def scenario() -> None:
        async with place.client() as client:
            keys = SecretSigningKeys(client, place.secret)
            with pytest.raises(SigningKeysError, match="keys rotate"):
                await keys.ring()
            made = await place.rotate()
            assert kids(await keys.ring()) == kids(made) == place.kids() == place.published()
            assert len(place.kids()) == 1
            assert await place.accepts(ISSUER.mint(await keys.ring(), "shop", ("score:write",))) == [True]

    run(scenario)


def test_tokens_from_before_a_rotation_stay_valid(place: Place) -> None:
    async def scenario() -> None:
        first = await place.rotate()
        old = ISSUER.mint(first, "shop", ())
        second = await place.rotate(NOW + 1)
        assert place.kids() == [kids(second)[0], kids(first)[0]]
        assert set(place.published()) == set(place.kids())
        assert await place.accepts(old, ISSUER.mint(second, "shop", ())) == [True, True]
        await place.rotate(NOW + LONGEST_LIFE_S + 2)
        assert kids(first)[0] not in place.published(), "nothing that it signed can still be valid"
        assert kids(second)[0] in place.published()

    run(scenario)


def test_what_a_withdrawn_key_has_signed_is_void(place: Place) -> None:
    async def scenario() -> None:
        first = await place.rotate()
        second = await place.rotate(NOW + 1, withdraw=True)
        assert place.kids() == place.published() == kids(second)
        assert len(kids(second)) == 1
        tokens = [ISSUER.mint(ring, "shop", ()) for ring in (first, second)]
        assert await place.accepts(*tokens) == [False, True]

    run(scenario)


@pytest.mark.parametrize("first", [True, False])
def test_rotations_at_once_lose_no_key(place: Place, first: bool) -> None:
    """Each of them has a key that may have signed before the next one's."""

    async def scenario() -> None:
        before = [] if first else kids(await place.rotate())
        rings = await asyncio.gather(*(place.rotate(NOW + 1) for _ in range(4)))
        made = [kids(ring)[0] for ring in rings]
        assert len(set(made)) == 4
        assert sorted(place.kids()) == sorted([*made, *before])
        assert sorted(place.published()) == sorted(place.kids())
        assert await place.accepts(*(ISSUER.mint(ring, "shop", ()) for ring in rings)) == [True] * 4

    run(scenario)


def test_a_secret_that_others_change_all_the_time_is_left_to_them(place: Place, faults: Faults) -> None:
    async def scenario() -> None:
        await place.rotate()
        async with place.client() as client:
            put = client.put_secret_value

            async def meanwhile(**arguments: Any) -> Any:
                answer = await put(**arguments)
                await put(SecretId=place.secret, SecretString=place.value(), VersionStages=["AWSCURRENT"])
                return answer

            client.put_secret_value = meanwhile
            before = place.kids()
            with pytest.raises(StorageError, match="nothing was rotated"):
                await rotate(client, place.secret, place.jwks, NOW)
            assert place.kids() == before
            assert set(place.published()) > set(before)

    run(scenario)


def test_verifiers_know_a_key_before_it_signs(place: Place, faults: Faults) -> None:
    async def scenario() -> None:
        old = ISSUER.mint(await place.rotate(), "shop", ())
        before = place.value()
        faults.add("secretsmanager.PutSecretValue", "unavailable")
        with pytest.raises(StorageError, match="503"):
            await place.rotate()
        faults.clear()
        assert place.value() == before
        assert len(place.published()) == 2
        assert await place.accepts(old) == [True]
        for wrong in ("s3://no-such-bucket/identity/jwks.json", f"s3://{place.name}"):
            place.jwks = wrong
            with pytest.raises((StorageError, SettingsError)):
                await place.rotate()
        assert place.value() == before, "a key that cannot be published does not sign"

    run(scenario)


def test_a_secret_that_is_not_there_takes_no_published_key_away(place: Place) -> None:
    async def scenario() -> None:
        await place.rotate()
        before = place.published()
        place.secret = "keys-misspelt"
        with pytest.raises(StorageError, match="ResourceNotFound"):
            await place.rotate()
        assert place.published() == before

    run(scenario)


def test_keys_are_read_again_after_some_seconds_and_by_one_call(place: Place, faults: Faults) -> None:
    clock = [1000.0]

    async def scenario() -> None:
        first = kids(await place.rotate())
        async with place.client() as client:
            keys = SecretSigningKeys(client, place.secret, lambda: clock[0])
            faults.calls.clear()
            rings = await asyncio.gather(*(keys.ring() for _ in range(20)))
            assert [kids(ring) for ring in rings] == [first] * 20
            assert faults.calls == ["secretsmanager.GetSecretValue"]
            second = kids(await place.rotate())
            clock[0] += FRESH_S - 0.001
            assert kids(await keys.ring()) == first
            clock[0] += 0.001
            assert kids(await keys.ring()) == second
            clock[0] += FRESH_S
            faults.add("secretsmanager.GetSecretValue", "unavailable")
            with pytest.raises(StorageError, match="signing keys: 503"):
                await keys.ring()
            faults.clear()
            assert kids(await keys.ring()) == second

    run(scenario)


@pytest.mark.parametrize("value", ["", "generated-by-somebody", "{}", '{"keys": []}', '{"keys": [{"jwk": {}}]}'])
def test_a_secret_that_holds_something_else_is_refused_and_left_alone(place: Place, value: str) -> None:
    async def scenario() -> None:
        if value:
            place.secrets.put_secret_value(SecretId=place.secret, SecretString=value)
        else:
            place.secrets.put_secret_value(SecretId=place.secret, SecretBinary=b"\x00\x01")
        async with place.client() as client:
            with pytest.raises(SigningKeysError) as refused:
                await SecretSigningKeys(client, place.secret).ring()
        assert place.secret in str(refused.value)
        assert not value or value not in str(refused.value)
        with pytest.raises(SigningKeysError):
            await place.rotate()
        found = place.secrets.get_secret_value(SecretId=place.secret)
        assert found.get("SecretString", "") == value

    run(scenario)


# The commands


def invoke(*arguments: str, stdin: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output.strip()


def test_the_command_rotates_and_tells_of_it(aws: AwsInstallation, place: Place) -> None:
    rotating = ("keys", "rotate", "--secret", place.secret, "--jwks", place.jwks, "--events-topic", aws.topic)
    told = []
    for withdraw in (False, False, True):
        code, said = invoke(*rotating, *(["--withdraw"] if withdraw else []))
        assert (code, said) == (0, f"signing with key {place.kids()[0]}")
        told.append({"kid": place.kids()[0], "withdrawn": withdraw})
    assert place.kids() == place.published() == [told[2]["kid"]]
    found = [json.loads(body) for body, _ in aws.published()]
    assert [(event["event"], event["client_id"], event["data"]) for event in found] == [
        ("keys.rotated", "system", data) for data in told
    ]


def test_the_command_makes_the_first_admin(aws: AwsInstallation) -> None:
    tables = ("--users-table", aws.tables["Identity"], "--outbox-table", aws.tables["Outbox"])
    creating = ("users", "create-admin", "Ana@Bank.example", "--password-stdin", *tables, "--events-topic", aws.topic)
    code, user_id = invoke(*creating, stdin="correct horse battery\n")
    assert code == 0

    async def found() -> Any:
        async with aws.identity() as stores:
            return await stores.users.by_email("ana@bank.example")

    user = run(found)
    assert (user.id, user.role, user.status) == (user_id, "admin", "active")
    assert [json.loads(body)["data"]["user"] for body, _ in aws.published()] == [user_id]
    assert aws.items("Outbox") == []

    code, said = invoke(*creating, stdin="correct horse battery\n")
    assert (code, "taken" in said) == (1, True)
    code, said = invoke(*creating, stdin="short\n")
    assert (code, "password" in said) == (1, True)
    assert aws.published() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "rotate", "--secret", "s", "--jwks", "s3://b/k"),
        ("keys", "rotate", "--events-topic", "arn"),
        ("users", "create-admin", "a@b.example", "--users-table", "t"),
    ],
)
def test_a_command_for_aws_needs_all_of_its_places(arguments: tuple[str, ...]) -> None:
    code, said = invoke(*arguments)
    assert code == 2
    assert "needs" in said


def test_a_command_says_in_one_line_what_is_wrong(aws: AwsInstallation, place: Place) -> None:
    code, said = invoke("keys", "rotate", "--secret", place.secret, "--jwks", "nowhere", "--events-topic", aws.topic)
    assert (code, said.count("\n")) == (1, 0)
    assert said.startswith("assay: ")
