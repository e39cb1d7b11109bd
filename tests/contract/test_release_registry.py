"""The registry of releases, in a folder and in a bucket: moves of its pointers, and what is in it broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.adapters.aws.objects import open_store
from assay.errors import ChampionMoved, ReleaseError
from assay.release import registry as moves
from assay.release.pointer import CHALLENGER, CHAMPION, KEPT, Pointer
from assay.release.registry import Registry, challenger, pointer, promote, roll_back
from assay.release.served import open_registry
from local.aws import resources
from tests.harness.releases import stricter, write_variant

KEY = Ed25519PrivateKey.generate()
TRUSTED = [KEY.public_key()]
VERSIONS = ["1.0", "2.0", "3.0"]


@dataclass
class Place:
    """A registry, and how its files are put there by hand."""

    registry: Registry
    put: Callable[[str, bytes], object]
    delete: Callable[[str], object]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good releases."""
    root = tmp_path_factory.mktemp("written")
    for version in VERSIONS:
        write_variant(root, version, KEY, policy=stricter)
    return root


def in_folder(root: Path) -> Place:
    root.mkdir()

    def put(name: str, body: bytes) -> None:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(body)

    return Place(open_registry(str(root)), put, lambda name: (root / name).unlink())


def in_bucket(endpoint: str) -> Place:
    bucket = f"releases-{uuid4()}"
    resources.client("s3", endpoint).create_bucket(Bucket=bucket)
    store = open_store(f"s3://{bucket}/some/releases")
    return Place(open_registry(f"s3://{bucket}/some/releases"), store.put, store.delete)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, written: Path) -> Iterator[Place]:
    """The three releases; the first is the champion, named by hand."""
    if request.param == "bucket":
        request.getfixturevalue("aws_environment")
        found = in_bucket(request.getfixturevalue("moto_endpoint"))
    else:
        found = in_folder(tmp_path / "releases")
    for path in sorted(written.glob("*/*")):
        found.put(f"{path.parent.name}/{path.name}", path.read_bytes())
    found.put(CHAMPION, b"1.0\n")
    yield found


def champion(place: Place) -> str:
    return pointer(place.registry).version


def test_forward_and_back(place: Place) -> None:
    first = promote(place.registry, "2.0", TRUSTED, "ann", "better")
    promote(place.registry, "3.0", TRUSTED, "bob")
    assert champion(place) == "3.0"
    assert [release.version for release in pointer(place.registry).former()] == ["2.0", "1.0"]
    back = roll_back(place.registry, TRUSTED, "ann", "worse")
    assert (champion(place), back.before.version if back.before else "") == ("2.0", "3.0")
    roll_back(place.registry, TRUSTED)
    assert champion(place) == "1.0"
    with pytest.raises(ReleaseError, match="none before"):
        roll_back(place.registry, TRUSTED)
    history = pointer(place.registry).moves
    assert [move.event.partition(".")[2] for move in history] == ["rolled_back", "rolled_back", "promoted", "promoted"]
    assert history[-1] == first
    assert (first.by, first.why, first.after.version if first.after else "") == ("ann", "better", "2.0")
    assert history[0].after is not None
    assert history[0].after.hash == place.registry.open("1.0", TRUSTED).hash


def test_only_what_verifies_is_promoted(place: Place) -> None:
    before = place.registry.read(CHAMPION)
    place.put("2.0/rules.yaml", b"rules: []\n")
    place.delete("3.0/policy.yaml")
    for version, reason in (("2.0", r"rules\.yaml"), ("3.0", r"policy\.yaml"), ("4.0", "4.0"), ("../1.0", "no such")):
        with pytest.raises(ReleaseError, match=reason):
            promote(place.registry, version, TRUSTED)
    with pytest.raises(ReleaseError, match="trusted keys"):
        promote(place.registry, "2.0", [Ed25519PrivateKey.generate().public_key()])
    with pytest.raises(ReleaseError, match="is the champion"):
        promote(place.registry, "1.0", TRUSTED)
    assert place.registry.read(CHAMPION) == before


def test_a_release_that_cannot_be_served_is_not_promoted(place: Place) -> None:
    def check(_: object) -> None:
        raise ReleaseError("no server can be built")

    with pytest.raises(ReleaseError, match="no server"):
        promote(place.registry, "2.0", TRUSTED, check=check)
    assert champion(place) == "1.0"


def test_a_rollback_to_a_release_that_is_broken_by_now_is_refused(place: Place) -> None:
    promote(place.registry, "2.0", TRUSTED)
    place.put("1.0/rates.yaml", b"")
    with pytest.raises(ReleaseError, match=r"rates\.yaml"):
        roll_back(place.registry, TRUSTED)
    assert champion(place) == "2.0"


def test_what_was_expected_must_be_so(place: Place) -> None:
    with pytest.raises(ChampionMoved, match=r"2\.0 was expected, it is 1\.0"):
        promote(place.registry, "3.0", TRUSTED, expected="2.0")
    promote(place.registry, "3.0", TRUSTED, expected="1.0")
    with pytest.raises(ChampionMoved):
        roll_back(place.registry, TRUSTED, expected="1.0")
    assert champion(place) == "3.0"


def test_of_two_at_once_one_wins_and_the_other_is_told(place: Place) -> None:
    """Both have read the pointer before either writes."""
    both, outcomes = threading.Barrier(2), dict[str, str]()

    def run(version: str) -> None:
        try:
            promote(place.registry, version, TRUSTED, check=lambda _: both.wait(30))
            outcomes[version] = "won"
        except ChampionMoved as error:
            outcomes[version] = str(error)

    threads = [threading.Thread(target=run, args=(version,)) for version in ("2.0", "3.0")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    [winner] = [version for version, outcome in outcomes.items() if outcome == "won"]
    [told] = [outcome for outcome in outcomes.values() if outcome != "won"]
    assert "somebody else moved it" in told
    assert champion(place) == winner
    assert len(pointer(place.registry).moves) == 1


def test_the_first_champion_of_a_registry(place: Place) -> None:
    place.delete(CHAMPION)
    with pytest.raises(ReleaseError, match="CHAMPION: not found"):
        pointer(place.registry)
    assert promote(place.registry, "2.0", TRUSTED).before is None
    assert champion(place) == "2.0"
    with pytest.raises(ReleaseError, match="none before"):
        roll_back(place.registry, TRUSTED)


@pytest.mark.parametrize("body", [b"", b"../1.0", b"1.0\n{}", b"1.0\nnot json", b"\n\n", b"\xff\xfe", b"x" * 300_000])
def test_a_pointer_that_is_none(place: Place, body: bytes) -> None:
    place.put(CHAMPION, body)
    for look in (pointer, lambda found: promote(found, "2.0", TRUSTED), lambda found: roll_back(found, TRUSTED)):
        with pytest.raises(ReleaseError, match="CHAMPION"):
            look(place.registry)
    assert place.registry.versions() == VERSIONS


def test_a_pointer_that_contradicts_itself(place: Place) -> None:
    promote(place.registry, "2.0", TRUSTED)
    found = place.registry.read(CHAMPION)
    assert found is not None
    place.put(CHAMPION, found[0].replace(b"2.0\n", b"3.0\n", 1))
    with pytest.raises(ReleaseError, match=r"names 3\.0, which its last move does not"):
        pointer(place.registry)


def test_another_release_under_the_name_that_was_promoted(place: Place, tmp_path: Path) -> None:
    """Signed too, but not what was verified then."""
    promote(place.registry, "2.0", TRUSTED)
    for path in write_variant(tmp_path / "other", "2.0", KEY).iterdir():
        place.put(f"2.0/{path.name}", path.read_bytes())
    with pytest.raises(ReleaseError, match=r"2\.0: is .*, CHAMPION names"):
        moves.open_named(place.registry, pointer(place.registry), TRUSTED)


def test_the_history_is_bounded(place: Place) -> None:
    for n in range(KEPT + 2):
        changed, _ = moves.moved(
            pointer(place.registry),
            "release.promoted",
            None,
            moves.Named(version=f"v{n}", hash="0" * 64),
            "ann",
            "x" * 200,
        )
        found = place.registry.read(CHAMPION)
        assert found is not None
        assert place.registry.write(CHAMPION, changed.to_bytes(), found[1])
    found = place.registry.read(CHAMPION)
    assert found is not None
    assert len(Pointer.read(CHAMPION, found[0]).moves) == KEPT


@pytest.mark.parametrize(("by", "why"), [("", ""), ("a b", ""), ("ann", "x" * 201), ("ann", "two\nlines")])
def test_who_and_why_must_be_fit_to_keep(place: Place, by: str, why: str) -> None:
    with pytest.raises(ReleaseError, match=r"by|why"):
        promote(place.registry, "2.0", TRUSTED, by, why)
    assert champion(place) == "1.0"


def test_the_challenger(place: Place) -> None:
    assert challenger(place.registry) is None
    assert moves.clear_challenger(place.registry) is None
    moves.set_challenger(place.registry, "2.0", TRUSTED, "trainer", "drift")
    moves.set_challenger(place.registry, "3.0", TRUSTED)
    found = challenger(place.registry)
    assert found is not None
    assert found.version == "3.0"
    assert champion(place) == "1.0"
    cleared = moves.clear_challenger(place.registry, why="no better")
    assert cleared is not None
    assert (challenger(place.registry), cleared.before) == (None, found)
    moves.set_challenger(place.registry, "2.0", TRUSTED)
    promote(place.registry, "2.0", TRUSTED)
    assert challenger(place.registry) is None, "who decides does not challenge"
    place.delete("3.0/reference.json")
    with pytest.raises(ReleaseError, match=r"reference\.json"):
        moves.set_challenger(place.registry, "3.0", TRUSTED)
    assert place.registry.read(CHALLENGER) is not None


def test_a_release_is_added_once_and_stays(place: Place, tmp_path: Path) -> None:
    made = write_variant(tmp_path / "made", "4.0", KEY)
    big = write_variant(tmp_path / "made", "5.0", KEY, rules=lambda rules: rules.update(note="x" * (6 << 20)))
    for folder in (made, made, big):
        place.registry.add(folder)
    assert place.registry.versions() == [*VERSIONS, "4.0", "5.0"]
    assert place.registry.open("4.0", TRUSTED).read("rules.yaml") == (made / "rules.yaml").read_bytes()
    assert len(place.registry.open("5.0", TRUSTED).read("rules.yaml")) > 6 << 20
    with pytest.raises(ReleaseError, match="never overwritten"):
        place.registry.add(write_variant(tmp_path / "other", "4.0", KEY, policy=stricter))
    assert place.registry.open("4.0", TRUSTED).read("policy.yaml") == (made / "policy.yaml").read_bytes()
    (made / "manifest.sig").unlink()
    with pytest.raises(ReleaseError, match=r"manifest\.sig"):
        place.registry.add(made)


def test_what_ended_in_the_middle_is_finished(
    aws_environment: pytest.MonkeyPatch, moto_endpoint: str, written: Path
) -> None:
    place = in_bucket(moto_endpoint)
    place.put("1.0/policy.yaml", (written / "1.0" / "policy.yaml").read_bytes())
    with pytest.raises(ReleaseError):
        place.registry.open("1.0", TRUSTED)
    place.registry.add(written / "1.0")
    assert place.registry.open("1.0", TRUSTED).version == "1.0"


def test_a_put_whose_answer_was_lost_is_not_taken_for_somebody_elses(
    aws_environment: pytest.MonkeyPatch, moto_endpoint: str, written: Path
) -> None:
    place = in_bucket(moto_endpoint)
    for path in sorted(written.glob("*/*")):
        place.put(f"{path.parent.name}/{path.name}", path.read_bytes())
    place.put(CHAMPION, b"1.0\n")
    before = place.registry.read(CHAMPION)
    assert before is not None
    body = moves.moved(None, "release.promoted", None, moves.Named(version="2.0", hash="0" * 64), "ann", "")[
        0
    ].to_bytes()
    place.put(CHAMPION, body)  # the first attempt, as the server saw it
    assert place.registry.write(CHAMPION, body, before[1])
    assert not place.registry.write(CHAMPION, body.replace(b"ann", b"bob"), before[1])
