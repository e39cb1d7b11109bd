"""`assay actions redrive` of an installation on AWS (moto)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner, Result

from assay.accounts.orders import OrderState, freezing
from assay.accounts.ports import Change
from assay.accounts.records import Account, Cause, Freeze, frozen
from local.aws import resources
from local.aws.moto_server import moto, serving
from local.cli import app
from tests.contract.installations import START, AwsInstallation, run, unhurried


def redrive(*options: str) -> Result:
    return CliRunner().invoke(app, ["actions", "redrive", *options])


def test_dead_orders_of_an_installation_on_aws_are_driven_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    unhurried(monkeypatch)
    for variable, value in resources.CREDENTIALS.items():
        monkeypatch.setenv(variable, value)
    with serving(moto()) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        aws = AwsInstallation()
        run(lambda: one_is_dead(aws))
        tables = ["--accounts-table", aws.tables["Accounts"], "--outbox-table", aws.tables["Outbox"]]
        everything = [*tables, "--events-topic", aws.topic]
        missing = redrive(*tables)
        assert (missing.exit_code, "--events-topic" in missing.output) == (2, True)
        for count in (1, 0):
            found = redrive(*everything)
            assert (found.exit_code, found.output) == (0, f"{count} orders will be tried again\n")
        assert [(order.state, order.attempts) for order in aws.orders()] == [("pending", 0)]
        assert [attributes["event"] for _, attributes in aws.published()] == ["card_order.redriven"]
        elsewhere = redrive("--accounts-table", "nowhere", *everything[2:])
        assert (elsewhere.exit_code, "ResourceNotFoundException" in elsewhere.output) == (1, True)


async def one_is_dead(aws: AwsInstallation) -> None:
    freeze = Freeze(Cause(START, "shop", "t-1"), None, ())
    account = frozen(Account("a"), freeze)
    async with aws.accounts() as stores:
        assert await stores.accounts.change(Change(account, orders=freezing(account, freeze, START)))
        (order,) = await stores.orders.claim(START, START + 1, 1)
        await stores.orders.settle(replace(order, state=OrderState.DEAD, error="HTTP 404"))
