"""Heads noted elsewhere, and logs in a bucket: `assay audit head`; `verify --head --heads --anchor-table`."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from assay.adapters.aws.archive import S3Archive
from assay.adapters.aws.audit import DynamoAuditAnchorStore
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.objects import open_store
from functions.audit_log.recorder import AuditLog
from local.aws import resources
from local.aws.moto_server import moto, serving
from local.cli import app
from tests.contract.installations import unhurried
from tests.harness.audit import NOW, event, objects, write_log

BATCHES = [3, 4, 2, 5]


def command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", *map(str, arguments)])
    return result.exit_code, result.output


def verified(*arguments: object) -> tuple[int, dict]:
    code, output = command("verify", *arguments, "--json")
    return code, json.loads(output)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder; after each batch the head was appended to `heads`."""
    data = tmp_path_factory.mktemp("heads")
    for count in range(1, len(BATCHES) + 1):
        shutil.rmtree(data / "audit", ignore_errors=True)
        (data / "assay.db").unlink(missing_ok=True)
        asyncio.run(write_log(data, BATCHES[:count]))
        code, line = command("head", "--data-dir", data)
        assert code == 0
        with (data / "heads").open("a") as file:
            file.write(line)
    return data


def test_heads_are_lines_of_number_hash_and_time(written: Path) -> None:
    lines = (written / "heads").read_text().splitlines()
    assert [int(line.partition(":")[0]) for line in lines] == [3, 7, 9, 14]
    assert all(len(line.split()) == 2 and line.endswith("Z") for line in lines)


def test_a_log_goes_through_every_head_that_was_noted(written: Path) -> None:
    code, facts = verified(written / "audit", "--heads", written / "heads")
    assert (code, facts["records"]) == (0, 14)
    head = (written / "heads").read_text().split()[2]
    assert verified(written / "audit", "--head", head)[0] == 0
    start = f"0:{'0' * 64}"
    assert verified(written / "audit", "--head", head, "--head", start)[0] == 0


@pytest.mark.parametrize("number", range(4))
def test_another_hash_at_a_noted_place_is_found(written: Path, number: int) -> None:
    sequence = sum(BATCHES[: number + 1])
    code, facts = verified(written / "audit", "--head", f"{sequence}:{'a' * 64}")
    assert code == 1
    assert facts["broken"]["sequence"] == sum(BATCHES[:number]) + 1
    assert "noted elsewhere" in facts["broken"]["reason"]


def test_a_noted_place_that_no_object_ends_with_is_found(written: Path) -> None:
    head = (written / "heads").read_text().splitlines()[1].split(":")[1]
    code, facts = verified(written / "audit", "--head", f"5:{head}")
    assert (code, facts["broken"]["sequence"]) == (1, 4)


def test_folder_and_database_rolled_back_together_are_found_by_a_head(written: Path, tmp_path: Path) -> None:
    """What the anchor beside the log cannot show: who may change both."""
    asyncio.run(write_log(tmp_path, BATCHES[:2]))
    assert verified(tmp_path / "audit")[0] == 0
    code, facts = verified(tmp_path / "audit", "--heads", written / "heads")
    assert (code, facts["broken"]["sequence"]) == (1, 8)
    assert "goes on to record 14" in facts["broken"]["reason"]


@pytest.mark.parametrize("text", ["", "7", "7:abc", ":" + "a" * 64, "7:" + "A" * 64, "-1:" + "a" * 64, "7 " + "a" * 64])
def test_what_is_no_head_is_refused(written: Path, tmp_path: Path, text: str) -> None:
    code, output = command("verify", written / "audit", "--head", text)
    assert code == 1 and "SEQUENCE:HASH" in output
    (tmp_path / "heads").write_text(f"{text or 'x'}\n")
    assert command("verify", written / "audit", "--heads", tmp_path / "heads")[0] == 1


def test_there_is_no_head_where_there_is_no_database(tmp_path: Path) -> None:
    code, output = command("head", "--data-dir", tmp_path)
    assert code == 1 and "no database" in output


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving(moto()) as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket with a log of 60 records, anchored in the table of the same name."""
    name = f"audit-{uuid4().hex[:12]}"
    resources.client("s3", endpoint).create_bucket(Bucket=name)
    resources.client("dynamodb", endpoint).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    unhurried(monkeypatch)
    for variable, value in {**resources.CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(variable, value)

    async def fill() -> None:
        opened = Clients()
        anchor = DynamoAuditAnchorStore(await opened.open("dynamodb"), name)
        log = AuditLog(S3Archive(open_store(f"s3://{name}")), anchor, lambda: NOW)
        for number in range(0, 60, 3):
            await log.handle([event(number + n) for n in range(3)])
        await opened.close()

    asyncio.run(fill())
    return name


def test_a_bucket_is_verified_with_its_anchor_and_says_so_without(bucket: str, endpoint: str) -> None:
    place = f"s3://{bucket}"
    code, facts = verified(place, "--anchor-table", bucket)
    assert (code, facts["whole"], facts["anchored"], facts["records"], facts["objects"]) == (0, True, True, 60, 20)
    code, output = command("verify", place)
    assert code == 0 and "no --anchor-table" in output
    code, head = command("head", "--anchor-table", bucket)
    assert (code, head.split()[0]) == (0, f"60:{facts['head']['hash']}")
    s3 = resources.client("s3", endpoint)
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    s3.delete_object(Bucket=bucket, Key=keys[-1])
    assert verified(place)[0] == 0
    assert verified(place, "--head", head)[0] == 1
    code, facts = verified(place, "--anchor-table", bucket)
    assert (code, facts["broken"]["sequence"]) == (1, 58)
    s3.put_object(Bucket=bucket, Key=keys[4], Body=b"something else")
    code, facts = verified(place, "--anchor-table", bucket)
    assert (code, facts["broken"]["sequence"], facts["records"]) == (1, 13, 12)


def test_a_bucket_or_a_table_that_is_not_there_is_said(bucket: str) -> None:
    for arguments in (("s3://nowhere",), (f"s3://{bucket}", "--anchor-table", "nothing"), ("s3://",)):
        code, output = command("verify", *arguments)
        assert code == 1 and output.startswith("assay: ")
    assert command("head", "--anchor-table", "nothing")[0] == 1


def test_a_prefix_holds_a_log_of_its_own(bucket: str) -> None:
    code, output = command("verify", f"s3://{bucket}/elsewhere")
    assert code == 1 and "holds no audit log" in output


def test_objects_of_a_folder_copied_into_a_bucket_verify(written: Path, bucket: str, endpoint: str) -> None:
    s3 = resources.client("s3", endpoint)
    for path in objects(written / "audit"):
        s3.put_object(Bucket=bucket, Key=f"copy/{path.parent.name}/{path.name}", Body=path.read_bytes())
    assert verified(f"s3://{bucket}/copy", "--heads", written / "heads")[0] == 0
