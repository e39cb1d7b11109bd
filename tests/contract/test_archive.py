"""One suite for the archives: a folder, and S3 (moto)."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from assay.adapters.aws.archive import S3Archive
from assay.adapters.aws.objects import open_store
from assay.adapters.local.archive import FolderArchive
from assay.archive_keys import MAX_KEY
from assay.errors import StorageError
from assay.ports import Archive
from local.aws.moto_server import moto, serving

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}
NOT_KEYS = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    ".a",
    "a/.b",
    "a b",
    "a\n",
    "a\0",
    "ä",
    "a\\b",
]
ODD_KEYS = ["a", "a=b/c:d", "-", "a.", "a..b", "A+B_c-d.e", "x" * 255, "/".join(["x" * 127] * 4)]


class LosesAnswers:
    """S3 behind a network that loses the answer to a put, once it has been asked to."""

    def __init__(self) -> None:
        self._s3 = moto()
        self.lose_next = False

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT" and self.lose_next:
            self.lose_next = False
            b"".join(self._s3(environ, lambda *_: None))
            start_response("503 Service Unavailable", [])
            return [b""]
        return self._s3(environ, start_response)


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, LosesAnswers]]:
    app = LosesAnswers()
    with serving(app) as address:
        yield address, app


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    return monkeypatch


@pytest.fixture
def bucket(s3: tuple[str, LosesAnswers], aws: pytest.MonkeyPatch) -> str:
    """The location of a new bucket."""
    name = f"archive-{uuid4()}"
    urlopen(Request(f"{s3[0]}/{name}", method="PUT", headers=SIGNED)).close()  # noqa: S310 - our own server
    aws.setenv("AWS_ENDPOINT_URL", s3[0])
    return f"s3://{name}/some/prefix"


@pytest.fixture(params=["folder", "s3"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    if request.param == "folder":
        return FolderArchive(tmp_path / "new" / "archive")
    return S3Archive(open_store(request.getfixturevalue("bucket")))


@pytest.fixture(params=["file in the way", "no server", "no bucket"])
def broken(request: pytest.FixtureRequest, tmp_path: Path, s3, aws: pytest.MonkeyPatch) -> Archive:
    if request.param == "file in the way":
        (tmp_path / "file").write_bytes(b"")
        return FolderArchive(tmp_path / "file")
    aws.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1" if request.param == "no server" else s3[0])
    return S3Archive(open_store("s3://nowhere/prefix"))


def test_what_was_put_can_be_read(archive: Archive) -> None:
    async def main() -> None:
        assert await archive.get("a/b") is None
        assert await archive.keys("") == []
        assert await archive.put("a/b", b"one") is True
        assert await archive.put("a/empty", b"") is True
        assert await archive.get("a/b") == b"one"
        assert await archive.get("a/empty") == b""
        assert await archive.get("a") is None
        assert await archive.get("a/c") is None
        assert await archive.keys("") == ["a/b", "a/empty"]

    asyncio.run(main())


@pytest.mark.parametrize("second", [b"two", b"one"], ids=["other bytes", "same bytes"])
def test_the_first_object_stays(archive: Archive, second: bytes) -> None:
    async def main() -> None:
        assert await archive.put("a/b", b"one") is True
        assert await archive.put("a/b", second) is False
        assert await archive.get("a/b") == b"one"
        assert await archive.keys("") == ["a/b"]

    asyncio.run(main())


def test_one_of_many_at_once_wins(archive: Archive) -> None:
    async def main() -> None:
        bodies = [str(n).encode() for n in range(16)]
        kept = await asyncio.gather(*(archive.put("a/b", body) for body in bodies))
        assert sorted(kept) == [False] * 15 + [True]
        assert await archive.get("a/b") == bodies[kept.index(True)]

    asyncio.run(main())


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_are_kept_as_they_are(archive: Archive, key: str) -> None:
    async def main() -> None:
        assert await archive.put(key, b"odd")
        assert await archive.get(key) == b"odd"
        assert await archive.keys("") == [key]

    asyncio.run(main())


@pytest.mark.parametrize("key", [*NOT_KEYS, "x" * 256, "/".join("x" * (MAX_KEY // 2 + 1))])
def test_what_is_no_key_is_refused(archive: Archive, key: str) -> None:
    async def main() -> None:
        with pytest.raises(StorageError):
            await archive.put(key, b"")
        with pytest.raises(StorageError):
            await archive.get(key)

    asyncio.run(main())


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", "./"])
def test_a_prefix_cannot_leave_the_archive(archive: Archive, prefix: str) -> None:
    with pytest.raises(StorageError):
        asyncio.run(archive.keys(prefix))


def test_a_prefix_need_not_end_with_a_folder(archive: Archive) -> None:
    async def main() -> None:
        for key in ("dt=2026-11-02/b", "dt=2026-11-01/a", "dt=2026-12-01/c", "dt=2026-1", "other/deep/er"):
            await archive.put(key, b"")
        assert await archive.keys("dt=2026-11") == ["dt=2026-11-01/a", "dt=2026-11-02/b"]
        assert await archive.keys("dt=2026-11-02/") == ["dt=2026-11-02/b"]
        assert await archive.keys("dt=2026-11-02/b") == ["dt=2026-11-02/b"]
        assert await archive.keys("dt=2026-1") == ["dt=2026-1", "dt=2026-11-01/a", "dt=2026-11-02/b", "dt=2026-12-01/c"]
        assert await archive.keys("other") == ["other/deep/er"]
        assert await archive.keys("nothing/here/") == []

    asyncio.run(main())


def test_a_listing_can_go_on_after_a_key(archive: Archive) -> None:
    async def main() -> None:
        keys = ["a/1", "a/2", "b/1", "b=/1"]
        for key in keys:
            await archive.put(key, b"")
        assert await archive.keys("", "a/1") == keys[1:]
        assert await archive.keys("", "a/15") == keys[1:]
        assert await archive.keys("b", "b/1") == ["b=/1"]
        assert await archive.keys("a/", "a/1") == ["a/2"]
        assert await archive.keys("", "b=/1") == []

    asyncio.run(main())


def test_a_large_object(archive: Archive) -> None:
    async def main() -> None:
        body = os.urandom(20 << 20)
        assert await archive.put("a/large", body)
        assert await archive.get("a/large") == body

    asyncio.run(main())


def test_a_listing_of_several_pages(archive: Archive) -> None:
    async def main() -> None:
        keys = [f"a/{n:04}" for n in range(1_050)]  # a page of S3 has 1,000
        for key in reversed(keys):
            assert await archive.put(key, b"")
        assert await archive.keys("a/") == keys

    asyncio.run(main())


def test_a_store_that_is_not_there(broken: Archive) -> None:
    async def main() -> None:
        with pytest.raises(StorageError):
            await broken.put("a/b", b"")
        with pytest.raises(StorageError):
            await broken.get("a/b")
        with pytest.raises(StorageError):
            await broken.keys("a/")

    asyncio.run(main())


def test_an_answer_that_was_lost(s3: tuple[str, LosesAnswers], bucket: str) -> None:
    """The library tries again and finds our own object in its way."""
    archive = S3Archive(open_store(bucket))

    async def main() -> None:
        s3[1].lose_next = True
        assert await archive.put("a/b", b"one") is True
        s3[1].lose_next = True
        assert await archive.put("a/b", b"one") is False
        assert await archive.get("a/b") == b"one"
        assert not s3[1].lose_next

    asyncio.run(main())


def test_two_processes_over_one_folder(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from assay.adapters.local.archive import FolderArchive

        async def main():
            archive = FolderArchive(Path(sys.argv[1]))
            print("ready", flush=True)
            sys.stdin.readline()
            for n in range(100):
                print(int(await archive.put(f"a/{n:02}", sys.argv[2].encode())))

        asyncio.run(main())
    """)
    writers = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", program, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    kept = [list(map(int, writer.communicate(timeout=60)[0].split())) for writer in writers]
    archive = FolderArchive(tmp_path)
    bodies = [asyncio.run(archive.get(f"a/{n:02}")) for n in range(100)]
    assert [one + two for one, two in zip(*kept, strict=True)] == [1] * 100
    assert bodies == [b"one" if one else b"two" for one in kept[0]]


def test_a_file_has_its_name_only_when_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, link = os.fsync, os.link

    def watch_fsync(descriptor: int) -> None:
        steps.append(Path(f"/proc/self/fd/{descriptor}").resolve().relative_to(tmp_path.resolve()).as_posix())
        fsync(descriptor)

    def watch_link(source: Path, target: Path) -> None:
        steps.append("link")
        link(source, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(os, "link", watch_link)
    archive = FolderArchive(tmp_path / "archive")
    for kept in (True, False):  # what another process wrote may not be on the disk yet
        steps.clear()
        assert asyncio.run(archive.put("a/b/c", b"")) is kept
        assert steps[0].startswith("archive/a/b/.")
        assert steps[1:] == ["link", "archive/a/b", "archive/a", "archive"]


def test_a_failed_put_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    archive = FolderArchive(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fail)
        with pytest.raises(StorageError, match="No space left"):
            asyncio.run(archive.put("a/b", b"one"))
    assert list((tmp_path / "a").iterdir()) == []
    assert asyncio.run(archive.put("a/b", b"two")) is True


def test_what_a_killed_process_left_is_no_object(tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path)
    assert asyncio.run(archive.put("a/b", b"one"))
    (tmp_path / "a" / ".0123456789abcdef").write_bytes(b"half of")
    assert asyncio.run(archive.keys("")) == ["a/b"]
