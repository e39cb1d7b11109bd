"""The registry in a bucket (moto): the champion is served when it may be, the packaged copy at last, never a crash."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path
from socket import create_server
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from assay.adapters.aws.objects import Store, open_store
from assay.errors import ReleaseError, SettingsError
from assay.release import bucket, load_trusted_keys, open_release, write_release
from assay.release.manifest import FILES, MANIFEST, SIGNATURE, ManifestBody
from assay.release.pointer import CHAMPION
from assay.release.registry import champion, set_champion
from assay.release.served import MODELS, open_champion
from local.aws.moto_server import moto, serving

KEY = Ed25519PrivateKey.generate()
TRUSTED = [KEY.public_key()]
CONTENT = (*FILES, MANIFEST, SIGNATURE)
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving(moto()) as address:
        yield address


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    return monkeypatch


@pytest.fixture
def location(endpoint: str, aws: pytest.MonkeyPatch) -> str:
    """An empty registry in a new bucket."""
    name = f"releases-{uuid4()}"
    urlopen(Request(f"{endpoint}/{name}", method="PUT", headers=SIGNED)).close()  # noqa: S310 - our own server
    return f"s3://{name}/some/releases"


@pytest.fixture(scope="module")
def body() -> ManifestBody:
    """What the packaged release says of itself: this test is about the way here, not about the content."""
    root = MODELS / "releases"
    manifest = open_release(root / champion(root), load_trusted_keys(MODELS / "keys")).manifest
    return ManifestBody(**manifest.model_dump(exclude={"files"}))


def written(root: Path, body: ManifestBody, version: str) -> Path:
    files = {name: f"{name} of {version}\n".encode() * 9 for name in FILES}
    folder = write_release(root, body.model_copy(update={"version": version}), files, KEY)
    set_champion(root, version, TRUSTED)
    return folder


@pytest.fixture
def packaged(tmp_path: Path, body: ManifestBody) -> Path:
    """The registry in the image; its champion is `packaged-1`."""
    written(tmp_path / "packaged", body, "packaged-1")
    return tmp_path / "packaged"


@pytest.fixture
def published(tmp_path: Path, body: ManifestBody, location: str) -> Store:
    """The bucket's registry; its champion is `new-2`."""
    folder = written(tmp_path / "training", body, "new-2")
    store = open_store(location)
    for name in CONTENT:
        store.put(f"new-2/{name}", (folder / name).read_bytes())
    store.put(CHAMPION, b"new-2\n")
    return store


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def assert_packaged(location: str, packaged: Path, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        assert open_champion(location, TRUSTED, packaged).version == "packaged-1"
    [message] = errors(caplog)
    assert location in message
    assert reason in message
    assert "serving the packaged copy" in message
    assert "\n" not in message


def test_the_champion_of_a_bucket_is_served(location, published, packaged, caplog):
    release = open_champion(location, TRUSTED, packaged)
    assert release.version == "new-2"
    assert release.read("rules.yaml") == b"rules.yaml of new-2\n" * 9
    assert errors(caplog) == []


def test_other_objects_of_the_bucket_are_not_fetched(location, published, packaged):
    published.put("new-2/backdoor.py", b"import os")
    published.put("other/manifest.json", b"{}")
    assert open_champion(location, TRUSTED, packaged).version == "new-2"


def test_the_champion_of_a_folder_is_served(tmp_path, body, packaged, caplog):
    written(tmp_path / "folder", body, "folder-3")
    assert open_champion(str(tmp_path / "folder"), TRUSTED, packaged).version == "folder-3"
    assert errors(caplog) == []


def test_a_folder_that_must_not_be_served(tmp_path, body, packaged, caplog):
    assert_packaged(str(tmp_path / "missing"), packaged, caplog, "CHAMPION: not found")
    (written(tmp_path / "folder", body, "folder-3") / "rules.yaml").write_bytes(b"rules: []")
    assert_packaged(str(tmp_path / "folder"), packaged, caplog, "rules.yaml: does not match")


def test_an_empty_registry(location, packaged, caplog):
    assert_packaged(location, packaged, caplog, "CHAMPION: not found")


def test_no_such_bucket(aws, packaged, caplog):
    assert_packaged(f"s3://no-{uuid4()}/releases", packaged, caplog, "CHAMPION: not found")


def test_no_server(aws, packaged, caplog):
    aws.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert_packaged("s3://bucket/releases", packaged, caplog, "cannot be fetched")


def test_a_server_that_never_answers(aws, packaged, caplog):
    aws.setattr(bucket, "FETCH_S", 0.2)
    with create_server(("127.0.0.1", 0)) as silent:
        aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert_packaged("s3://bucket/releases", packaged, caplog, "not fetched within")


@pytest.mark.parametrize("missing", CONTENT)
def test_a_half_written_release(location, published, packaged, caplog, missing):
    published.delete(f"new-2/{missing}")
    assert_packaged(location, packaged, caplog, f"new-2/{missing} not found")


@pytest.mark.parametrize("name", [b"", b"\n", b"../packaged", b"/etc", b"new-2/../new-2", b".", b"\xff\xfe", b"a" * 99])
def test_a_champion_that_names_no_release(location, published, packaged, caplog, name):
    published.put(CHAMPION, name)
    assert_packaged(location, packaged, caplog, "CHAMPION: does not name a release")


def test_a_champion_that_is_not_there(location, published, packaged, caplog):
    published.put(CHAMPION, b"new-9")
    assert_packaged(location, packaged, caplog, "not found")


def test_a_release_under_another_name(location, published, packaged, caplog):
    """Signed, but an older one in the place of a newer."""
    for name in CONTENT:
        published.copy(f"new-2/{name}", f"new-9/{name}")
    published.put(CHAMPION, b"new-9")
    assert_packaged(location, packaged, caplog, "is of version new-2, in the folder new-9")


@pytest.mark.parametrize("name", CONTENT)
def test_a_mutated_object(location, published, packaged, caplog, name):
    good = bytes(published.get(f"new-2/{name}").bytes())
    random_ = random.Random(name)
    position = random_.randrange(len(good))
    flipped = good[:position] + bytes([good[position] ^ 1 << random_.randrange(8)]) + good[position + 1 :]
    for bad in (flipped, b"", good[:-1], good + b"\0", random_.randbytes(len(good))):
        published.put(f"new-2/{name}", bad)
        assert_packaged(location, packaged, caplog, SIGNATURE if name in (MANIFEST, SIGNATURE) else name)


def test_an_object_that_is_too_large_is_not_read(location, published, packaged, caplog, monkeypatch):
    monkeypatch.setattr(bucket, "MAX_FILE_BYTES", 10_000_000)
    published.put("new-2/rules.yaml", bytes(10_000_001))
    assert_packaged(location, packaged, caplog, "new-2/rules.yaml: larger than 10000000 bytes")


def test_keys_in_the_bucket_are_not_trusted(location, published, packaged, caplog):
    stranger = Ed25519PrivateKey.generate()
    pem = stranger.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for path in ("stranger.pub", "keys/stranger.pub", "new-2/stranger.pub"):
        published.put(path, pem)
    published.put(f"new-2/{SIGNATURE}", stranger.sign(bytes(published.get(f"new-2/{MANIFEST}").bytes())))
    assert_packaged(location, packaged, caplog, "not the signature")


def test_no_room_to_fetch_into(location, published, packaged, caplog, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert_packaged(location, packaged, caplog, "cannot be fetched")


def test_nothing_is_left_behind(location, published, packaged, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    open_champion(location, TRUSTED, packaged)
    published.delete("new-2/rules.yaml")
    open_champion(location, TRUSTED, packaged)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_when_the_packaged_copy_must_not_be_served_either_both_reasons_are_given(location, packaged):
    (packaged / "packaged-1" / "policy.yaml").write_bytes(b"")
    with pytest.raises(ReleaseError, match=r"CHAMPION: not found.*; packaged copy: policy\.yaml: does not match"):
        open_champion(location, TRUSTED, packaged)
    with pytest.raises(ReleaseError, match="packaged copy: CHAMPION"):
        open_champion(location, TRUSTED, packaged / "missing")


def test_a_location_that_is_none_is_a_mistake_of_the_installation(packaged):
    with pytest.raises(SettingsError, match="names no bucket"):
        open_champion("s3:///releases", TRUSTED, packaged)
