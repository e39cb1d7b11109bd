"""Writing releases, moving the champion, and keys."""

from __future__ import annotations

import os
import stat
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from assay.errors import ReleaseError
from assay.release import files as release_files
from assay.release import store
from assay.release.keys import load_or_create_signing_key, load_trusted_keys
from assay.release.manifest import MANIFEST, SIGNATURE
from assay.release.registry import champion, set_champion
from assay.release.store import open_release, versions, write_release


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_equal_content_gives_equal_bytes(folder, tmp_path, body, files, key):
    again = write_release(tmp_path / "other", body, dict(reversed(files.items())), key)
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {p.name: p.read_bytes() for p in folder.iterdir()}


def test_writing_the_same_again_changes_nothing(folder, body, files, key):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert write_release(folder.parent, body, files, key) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert names(folder.parent) == ["2026.1"]


@pytest.mark.parametrize("change", [{"rules.yaml": b"other"}, {"model_card.md": b""}])
def test_a_version_is_never_overwritten(folder, body, files, key, change):
    with pytest.raises(ReleaseError, match="never overwritten"):
        write_release(folder.parent, body, {**files, **change}, key)
    with pytest.raises(ReleaseError, match="never overwritten"):
        write_release(folder.parent, body.model_copy(update={"metrics": {}}), files, key)
    with pytest.raises(ReleaseError, match="never overwritten"):
        write_release(folder.parent, body, files, Ed25519PrivateKey.generate())
    open_release(folder, [key.public_key()])
    assert names(folder.parent) == ["2026.1"]


def test_a_file_missing_extra_or_too_large_is_refused(tmp_path, body, files, key, monkeypatch):
    root = tmp_path / "releases"
    for wrong in ({**files, "extra.txt": b""}, {k: v for k, v in files.items() if k != "rates.yaml"}):
        with pytest.raises(ReleaseError, match="files listed"):
            write_release(root, body, wrong, key)
    monkeypatch.setattr(store, "MAX_FILE_BYTES", 10)
    with pytest.raises(ReleaseError, match="larger than"):
        write_release(root, body, files, key)
    assert not root.exists()


@pytest.mark.parametrize("fails_at", range(1, 14))
def test_a_failure_at_any_step_leaves_nothing(tmp_path, body, files, key, monkeypatch, fails_at):
    steps = 0
    real = os.fsync

    def fsync(descriptor):
        nonlocal steps
        steps += 1
        if steps == fails_at:
            raise OSError("disk full")
        real(descriptor)

    monkeypatch.setattr(release_files.os, "fsync", fsync)
    root = tmp_path / "releases"
    if fails_at == 13:  # the release stands already, and only its entry may not be on the disk yet
        with pytest.raises(OSError, match="disk full"):
            write_release(root, body, files, key)
        assert open_release(root / "2026.1", [key.public_key()]).version == "2026.1"
        return
    with pytest.raises(OSError, match="disk full"):
        write_release(root, body, files, key)
    assert names(root) == []


def test_of_many_writers_of_one_version_one_wins(tmp_path, body, files, key):
    root = tmp_path / "releases"
    outcomes = []

    def write(number):
        try:
            write_release(root, body, {**files, "model_card.md": str(number % 2).encode()}, key)
            outcomes.append(number % 2)
        except ReleaseError:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = int(open_release(root / "2026.1", [key.public_key()]).read("model_card.md"))
    assert sorted(outcomes, key=str) == [winner] * 4 + [None] * 4
    assert names(root) == ["2026.1"]


def test_the_champion_is_named_and_moved(folder, body, files, key):
    root = folder.parent
    with pytest.raises(ReleaseError, match="CHAMPION"):
        champion(root)
    write_release(root, body.model_copy(update={"version": "2026.2"}), files, key)
    for version in ("2026.1", "2026.2", "2026.1"):
        set_champion(root, version, [key.public_key()])
        assert champion(root) == version
    assert versions(root) == ["2026.1", "2026.2"]
    assert names(root) == [".lock", "2026.1", "2026.2", "CHAMPION"]


@pytest.mark.parametrize("version", ["2026.9", "", "..", "../releases/2026.1", "CHAMPION"])
def test_only_an_existing_release_becomes_champion(folder, version, key):
    with pytest.raises(ReleaseError, match="no such release"):
        set_champion(folder.parent, version, [key.public_key()])


@pytest.mark.parametrize("text", [b"", b"../../etc", b"a b", b"\xff", b"x" * 300, b"2026.1\n2026.2"])
def test_a_pointer_to_nonsense_is_refused(folder, text):
    (folder.parent / "CHAMPION").write_bytes(text)
    with pytest.raises(ReleaseError, match="CHAMPION"):
        champion(folder.parent)


def test_a_signing_key_is_made_once_and_kept_private(tmp_path, body, files):
    path = tmp_path / "keys" / "release.pem"
    key = load_or_create_signing_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path.parent) == ["release.pem", "release.pub"]
    assert load_or_create_signing_key(path).private_bytes_raw() == key.private_bytes_raw()
    (path.parent / "release.pub").unlink()
    load_or_create_signing_key(path)
    folder = write_release(tmp_path / "releases", body, files, key)
    trusted = load_trusted_keys(tmp_path / "absent", path.parent)
    assert open_release(folder, trusted).version == "2026.1"


def test_a_signing_key_others_can_read_is_refused(tmp_path):
    load_or_create_signing_key(tmp_path / "release.pem")
    (tmp_path / "release.pem").chmod(0o644)
    with pytest.raises(ReleaseError, match="owner alone"):
        load_or_create_signing_key(tmp_path / "release.pem")


def test_keys_of_another_kind_are_refused(tmp_path):
    other = generate_private_key(SECP256R1())
    private = tmp_path / "release.pem"
    private.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    with pytest.raises(ReleaseError, match="not an Ed25519 key"):
        load_or_create_signing_key(private)
    public = tmp_path / "other.pub"
    public.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ReleaseError, match=r"other\.pub: not an Ed25519 key"):
        load_trusted_keys(tmp_path)
    for nonsense in (b"", b"nonsense"):
        public.write_bytes(nonsense)
        private.write_bytes(nonsense)
        with pytest.raises(ReleaseError, match=r"other\.pub: not a public key"):
            load_trusted_keys(tmp_path)
        with pytest.raises(ReleaseError, match="not a private key"):
            load_or_create_signing_key(private)


def test_the_signature_covers_the_manifest_alone_and_the_manifest_every_file(folder, key, files):
    key.public_key().verify((folder / SIGNATURE).read_bytes(), (folder / MANIFEST).read_bytes())
    manifest = open_release(folder, [key.public_key()]).manifest
    assert manifest.files.keys() == files.keys()
