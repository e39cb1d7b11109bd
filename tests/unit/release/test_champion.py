"""Following a registry: in a process that goes on, in one that stands still, in a stage that several callers ask."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.errors import ReleaseError
from assay.release.champion import NOTE, RETRY_S, Champion
from assay.release.folder import FolderRegistry
from assay.release.manifest import ManifestBody
from assay.release.pointer import CHAMPION
from assay.release.registry import pointer, promote, roll_back
from assay.release.served import HELD, LOOK_EVERY_S, MISSED_S, STALE_S, KeepingUp, OfEachRelease
from assay.release.store import Release, write_release

VERSIONS = ["2026.1", "2026.2", "2026.3"]


class World:
    """A registry of placeholder releases, and a process that follows it."""

    def __init__(self, root: Path, body: ManifestBody, files: dict[str, bytes], key: Ed25519PrivateKey) -> None:
        self.root, self.trusted, self.now = root, [key.public_key()], 1_000.0
        for version in VERSIONS:
            write_release(root, body.model_copy(update={"version": version}), files, key)
        self.registry = FolderRegistry(root)
        promote(self.registry, VERSIONS[0], self.trusted)
        self.used: list[str] = []
        first = self.registry.open(VERSIONS[0], self.trusted)
        self.champion = Champion(self.registry, lambda: self.trusted, first, clock=lambda: self.now)
        self.champion.follow(self.prepare)

    def prepare(self, release: Release) -> Callable[[], None]:
        return lambda: self.used.append(release.version)

    def promote(self, version: str) -> None:
        promote(self.registry, version, self.trusted)

    def damage(self, version: str) -> Callable[[], object]:
        """Gives what mends it."""
        path = self.root / version / "rules.yaml"
        good = path.read_bytes()
        path.write_bytes(good[:-1])
        return lambda: path.write_bytes(good)

    @property
    def serving(self) -> str:
        return self.champion.current().version


@pytest.fixture
def world(tmp_path: Path, body: ManifestBody, files: dict[str, bytes], key: Ed25519PrivateKey) -> World:
    return World(tmp_path / "releases", body, files, key)


def test_it_follows(world: World) -> None:
    assert world.champion.look() == pointer(world.registry), "the first look tells what the pointer says"
    assert world.champion.look() is None
    assert world.used == []
    world.promote("2026.2")
    moved = world.champion.look()
    assert moved is not None
    assert moved.version == world.serving == "2026.2"
    assert world.champion.look() is None
    roll_back(world.registry, world.trusted)
    world.champion.look()
    assert world.used == ["2026.2", "2026.1"]
    assert world.champion.notes == {}


def test_a_bad_release_is_refused_once_told_and_looked_at_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.promote("2026.2")
    mend = world.damage("2026.2")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert world.champion.look() is None
            world.now += RETRY_S / 2
    assert world.serving == "2026.1"
    assert world.champion.notes[NOTE] == "rules.yaml: does not match its SHA-256 in manifest.json; 2026.1 goes on"
    assert len(caplog.records) == 1
    mend()
    world.champion.look()
    assert world.serving == "2026.1", "not at every look"
    world.now += RETRY_S
    world.champion.look()
    assert (world.serving, world.champion.notes) == ("2026.2", {})


def test_going_back_from_a_release_that_was_refused_leaves_no_note(world: World) -> None:
    world.champion.look()
    world.promote("2026.2")
    world.damage("2026.2")
    world.champion.look()
    roll_back(world.registry, world.trusted)
    world.champion.look()
    assert (world.serving, world.used, world.champion.notes) == ("2026.1", [], {})


@pytest.mark.parametrize("text", [b"", b"no such release", b"1999.1\n", b"2026.2\n{}\n", None])
def test_a_pointer_that_is_none(world: World, text: bytes | None) -> None:
    path = world.root / CHAMPION
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text)
    world.champion.look()
    assert world.serving == "2026.1"
    assert NOTE in world.champion.notes


def test_what_nobody_trusted_signed_is_refused_until_the_key_is_there(world: World) -> None:
    world.promote("2026.2")
    keys, world.trusted = world.trusted, []
    world.champion.look()
    assert "trusted keys" in world.champion.notes[NOTE]
    world.trusted, world.now = keys, world.now + RETRY_S
    world.champion.look()
    assert world.serving == "2026.2"


@pytest.mark.parametrize("error", [ReleaseError("does not fit"), ValueError("a fault of ours")])
def test_all_who_follow_change_or_none(world: World, error: Exception) -> None:
    def cannot(_: Release) -> Callable[[], None]:
        raise error

    world.champion.follow(cannot)
    world.promote("2026.2")
    world.champion.look()
    assert (world.serving, world.used) == ("2026.1", [])


def test_a_pointer_by_hand(world: World) -> None:
    (world.root / CHAMPION).write_text("2026.3\n")
    world.champion.look()
    assert (world.serving, world.champion.notes) == ("2026.3", {})


class Entry:
    """A Lambda function and the time around it."""

    def __init__(self, world: World) -> None:
        self.now = 0.0
        self.keeping_up = KeepingUp(world.champion, lambda _event, _context: world.serving, lambda: self.now)

    def call(self) -> str:
        return str(self.keeping_up(None, None))

    def settled(self) -> None:
        """What was begun beside a call has ended."""
        for thread in threading.enumerate():
            if thread.name == "release":
                thread.join(30)


def test_a_lambda_looks_beside_its_invocations(world: World) -> None:
    entry = Entry(world)
    world.promote("2026.2")
    assert entry.call() == "2026.1"
    entry.settled()
    assert entry.call() == "2026.1", "too soon for a look"
    entry.now += LOOK_EVERY_S
    entry.call()
    entry.settled()
    assert entry.call() == "2026.2"


def test_a_lambda_that_was_not_asked_for_long_looks_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.release.served.WAIT_S", 30)
    entry = Entry(world)
    world.promote("2026.2")
    entry.now += STALE_S
    assert entry.call() == "2026.2"


def test_a_registry_that_hangs_stops_no_invocation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, looks = threading.Event(), []

    def look() -> None:
        looks.append(1)
        go_on.wait(30)

    monkeypatch.setattr(world.champion, "look", look)
    monkeypatch.setattr("assay.release.served.WAIT_S", 0.01)
    entry = Entry(world)
    for _ in range(3):
        entry.now += STALE_S
        assert entry.call() == "2026.1"
    assert looks == [1], "one thread at a time"
    go_on.set()
    entry.settled()


class Stage:
    """A stage of several releases. It answers with the version it answers by."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.built: list[str] = []
        self.now = 50.0
        monkeypatch.setattr("assay.release.served.time", SimpleNamespace(monotonic=lambda: self.now))
        self.stage = OfEachRelease(world.champion, self.build)
        self.hashes = {version: world.registry.open(version, world.trusted).hash for version in VERSIONS}

    def build(self, release: Release) -> Callable[[Any], Any]:
        self.built.append(release.version)
        return lambda _: release.version

    def ask(self, version: str | None) -> Any:
        return self.stage(SimpleNamespace(release=version and self.hashes[version]))


@pytest.fixture
def stage(world: World, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(world, monkeypatch)


def test_a_stage_answers_by_the_release_it_is_asked_for(world: World, stage: Stage) -> None:
    assert (stage.ask(None), stage.ask("2026.1")) == ("2026.1", "2026.1")
    world.promote("2026.2")
    assert stage.ask("2026.2") == "2026.2", "a caller that is ahead"
    assert stage.ask("2026.1") == "2026.1", "a caller that is behind"
    assert stage.ask(None) == "2026.1"
    world.champion.look()
    assert stage.ask(None) == "2026.2"
    assert (stage.ask("2026.1"), stage.ask("2026.2")) == ("2026.1", "2026.2")


def test_a_stage_started_after_a_promotion_still_serves_callers_that_are_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.promote("2026.2")
    world.champion.look()
    late = Stage(world, monkeypatch)
    assert (late.ask("2026.1"), late.ask("2026.2")) == ("2026.1", "2026.2")


def test_a_stage_answers_by_nothing_that_the_pointer_does_not_name(stage: Stage) -> None:
    with pytest.raises(ReleaseError, match="not a release that CHAMPION names"):
        stage.ask("2026.3")
    with pytest.raises(ReleaseError, match="a moment ago"):
        stage.ask("2026.3")
    stage.now += MISSED_S
    with pytest.raises(ReleaseError, match="not a release that CHAMPION names"):
        stage.ask("2026.3")
    assert stage.ask("2026.1") == "2026.1"


def test_a_stage_finds_a_broken_release_no_more_than_a_server_does(world: World, stage: Stage) -> None:
    world.promote("2026.2")
    world.damage("2026.2")
    with pytest.raises(ReleaseError, match=r"rules\.yaml"):
        stage.ask("2026.2")


def test_a_stage_holds_the_last_ones_only(world: World, stage: Stage) -> None:
    for version in ("2026.2", "2026.3"):
        world.promote(version)
        world.champion.look()
    assert stage.built == VERSIONS
    for version in VERSIONS[-HELD:]:
        assert stage.ask(version) == version
    assert stage.built == VERSIONS, "held"
    assert stage.ask("2026.1") == "2026.1"
    assert stage.built == [*VERSIONS, "2026.1"]


def test_the_packaged_release_is_found_when_a_caller_serves_it(
    world: World, tmp_path: Path, body: ManifestBody, files: dict[str, bytes], key: Ed25519PrivateKey
) -> None:
    root = tmp_path / "packaged"
    write_release(root, body.model_copy(update={"version": "packaged"}), files, key)
    (root / CHAMPION).write_text("packaged\n")
    packaged = FolderRegistry(root)
    hash_ = packaged.open("packaged", world.trusted).hash
    following = Champion(world.registry, lambda: world.trusted, world.champion.current(), packaged=packaged)
    assert following.find(hash_).version == "packaged"
