"""What is not exactly what was signed is refused, with the file that is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.errors import ReleaseError
from assay.release import store
from assay.release.manifest import FILES, MANIFEST, SIGNATURE
from assay.release.store import open_release


def resigned(folder, key, change):
    """Signs a changed manifest: what a bug of ours, not an attacker, could do."""
    document = json.loads((folder / MANIFEST).read_bytes())
    change(document)
    data = json.dumps(document).encode()
    (folder / MANIFEST).write_bytes(data)
    (folder / SIGNATURE).write_bytes(key.sign(data))


def test_a_good_release_opens(folder, files, key):
    release = open_release(folder, [Ed25519PrivateKey.generate().public_key(), key.public_key()])
    assert release.version == "2026.1"
    assert release.hash == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert {name: release.read(name) for name in FILES} == files
    assert release.manifest.categories == {"channel": ["web", "münze"]}


def test_what_was_verified_is_what_is_read(folder, files, key):
    release = open_release(folder, [key.public_key()])
    for name in FILES:
        (folder / name).write_bytes(b"changed after the check")
    assert release.read("rules.yaml") == files["rules.yaml"]


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, "../2026.1/rules.yaml", ""])
def test_only_files_of_the_release_are_read(folder, key, name):
    with pytest.raises(ReleaseError, match="not a file of a release"):
        open_release(folder, [key.public_key()]).read(name)


@pytest.mark.parametrize("name", FILES)
def test_a_tampered_file_is_named(folder, key, name):
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(ReleaseError, match=f"^{re.escape(name)}: does not match"):
        open_release(folder, [key.public_key()])


def test_a_tampered_manifest_or_signature_is_refused(folder, key):
    good = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(good.replace(b"0.25", b"0.99"))
    with pytest.raises(ReleaseError, match=SIGNATURE):
        open_release(folder, [key.public_key()])
    (folder / MANIFEST).write_bytes(good)
    (folder / SIGNATURE).write_bytes(bytes(64))
    with pytest.raises(ReleaseError, match=SIGNATURE):
        open_release(folder, [key.public_key()])


def test_nothing_is_parsed_before_the_signature_is_verified(folder, key, monkeypatch):
    parsed = []
    monkeypatch.setattr(store, "decode", parsed.append)
    (folder / MANIFEST).write_bytes(b"[" * 100_000)
    with pytest.raises(ReleaseError, match=SIGNATURE):
        open_release(folder, [key.public_key()])
    assert parsed == []


@pytest.mark.parametrize("trusted", [[], [Ed25519PrivateKey.generate().public_key()]])
def test_a_stranger_s_signature_is_refused(folder, trusted):
    with pytest.raises(ReleaseError, match="trusted keys"):
        open_release(folder, trusted)


@pytest.mark.parametrize("name", [*FILES, MANIFEST, SIGNATURE])
def test_a_missing_truncated_linked_or_strange_file_is_named(folder, key, name):
    data = (folder / name).read_bytes()
    path = folder / name

    def refused():
        with pytest.raises(ReleaseError, match=f"^{re.escape(name if name != MANIFEST else '')}"):
            open_release(folder, [key.public_key()])

    path.unlink()
    refused()
    for size in (0, 1, len(data) - 1):
        path.write_bytes(data[:size])
        refused()
    path.unlink()
    (folder.parent / "elsewhere").write_bytes(data)
    path.symlink_to(folder.parent / "elsewhere")
    refused()
    path.unlink()
    path.mkdir()
    refused()
    path.rmdir()
    os.mkfifo(path)
    refused()
    path.unlink()
    path.write_bytes(data)
    open_release(folder, [key.public_key()])


@pytest.mark.parametrize("name", ["extra.npz", ".hidden", "rules.yaml.bak"])
def test_an_extra_file_is_named(folder, key, name):
    (folder / name).write_bytes(b"")
    with pytest.raises(ReleaseError, match=f"^{re.escape(name)}"):
        open_release(folder, [key.public_key()])


def test_oversized_files_are_refused(folder, key, monkeypatch):
    monkeypatch.setattr(store, "MAX_FILE_BYTES", 100)
    with pytest.raises(ReleaseError, match="larger than 100 bytes"):
        open_release(folder, [key.public_key()])
    monkeypatch.setattr(store, "MAX_MANIFEST_BYTES", 100)
    with pytest.raises(ReleaseError, match=f"^{MANIFEST}: larger"):
        open_release(folder, [key.public_key()])


def test_a_release_under_another_name_is_refused(folder, key):
    with pytest.raises(ReleaseError, match=r"is of version 2026\.1"):
        open_release(folder.rename(folder.parent / "2027.1"), [key.public_key()])


@pytest.mark.parametrize("path", ["nowhere", "releases/2026.1/rules.yaml"])
def test_what_is_no_folder_is_refused(tmp_path, folder, key, path):
    with pytest.raises(ReleaseError, match="no such release"):
        open_release(tmp_path / path, [key.public_key()])


def test_the_relative_path_of_the_folder_itself(folder, key, monkeypatch):
    monkeypatch.chdir(folder)
    assert open_release(type(folder)("."), [key.public_key()]).version == "2026.1"


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(format_version=2),
        lambda m: m.update(surprise=1),
        lambda m: m.pop("medians"),
        lambda m: m.update(version="../x"),
        lambda m: m.update(version=""),
        lambda m: m["files"].pop("rules.yaml"),
        lambda m: m["files"].update({"../../etc/passwd": "0" * 64}),
        lambda m: m["files"].update({"rules.yaml": "0" * 63}),
        lambda m: m["calibration"].update(slope=0),
        lambda m: m["calibration"].update(slope="1"),
        lambda m: m["metrics"].update(bad=float("nan")),
        lambda m: m["models"]["isolation_forest"]["features"].append("amount"),
        lambda m: m["models"]["isolation_forest"]["features"].append("no_such_feature"),
        lambda m: m["models"]["autoencoder"]["features"].append("tx_count_last_1h"),
        lambda m: m["models"]["autoencoder"].update(threshold=0),
        lambda m: m["models"]["xgboost_classifier"].update(features=[]),
        lambda m: m["categories"].pop("channel"),
        lambda m: m["categories"].update(currency=["EUR"]),
        lambda m: m["categories"]["channel"].append("web"),
        lambda m: m["medians"].pop("amount"),
        lambda m: m["transforms"].update(amount="sqrt"),
        lambda m: m["transforms"].update(tx_count_last_5m="log1p"),
        lambda m: m["training"].update(frauds=11),
    ],
)
def test_signed_but_inconsistent_manifests_are_refused(folder, key, change):
    resigned(folder, key, change)
    with pytest.raises(ReleaseError, match=f"^{MANIFEST}"):
        open_release(folder, [key.public_key()])


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_signed_but_unreadable_manifests_are_refused(folder, key, data):
    (folder / MANIFEST).write_bytes(data)
    (folder / SIGNATURE).write_bytes(key.sign(data))
    with pytest.raises(ReleaseError, match=f"^{MANIFEST}"):
        open_release(folder, [key.public_key()])


def test_200_random_mutations_are_all_refused(folder, key):
    chance = random.Random(7)
    refused = 0
    for number in range(200):
        path = folder / [*FILES, MANIFEST, SIGNATURE][number % 11]
        good = path.read_bytes()
        data = bytearray(good)
        at = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data.insert(at, chance.randrange(256))
        elif kind == 2:
            del data[at]
        else:
            del data[at:]
        path.write_bytes(bytes(data))
        try:
            open_release(folder, [key.public_key()])
        except ReleaseError:
            refused += 1
        path.write_bytes(good)
    assert refused == 200
    open_release(folder, [key.public_key()])
