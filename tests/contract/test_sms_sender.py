"""Text messages by SNS: against moto, and against a service that refuses in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.sms import WAIT_S, SmsSender
from assay.alerts.ports import Undelivered
from assay.challenges.codes import binding, told
from assay.challenges.ports import CodeMessage, Contact
from assay.challenges.texts import short_text_of
from tests.contract.installations import PATIENT_S
from tests.harness.aws_messages import text_messages

CONTACT = Contact(phone="+4915112345678")
MESSAGE = CodeMessage("acct-1", "25.50 EUR to bakery-12", "012345", 5)
PUBLISHED = b"<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>"


@asynccontextmanager
async def sender(timeout_s: float = PATIENT_S) -> AsyncIterator[SmsSender]:
    clients = Clients()
    try:
        yield SmsSender(await clients.open("sns", patient(timeout_s, attempts=1)))
    finally:
        await clients.close()


def run(scenario: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario(), 60))


class Service:
    """SNS as far as it is asked here: one answer, or none."""

    def __init__(self, status: int = 200, body: bytes = PUBLISHED, *, is_silent: bool = False) -> None:
        self._answer = (status, body)
        self._is_silent = is_silent
        self.asked: list[dict[str, list[str]]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(parse_qs(await request.text()))
        if self._is_silent:
            await asyncio.Event().wait()
        status, body = self._answer
        return web.Response(status=status, body=body, content_type="text/xml")

    @asynccontextmanager
    async def serving(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/", self.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{runner.addresses[0][1]}")
        try:
            yield
        finally:
            await runner.cleanup()


def refusal(code: str) -> bytes:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>+4915112345678 is private</Message></Error>"
    return f"<ErrorResponse>{error}<RequestId>r-1</RequestId></ErrorResponse>".encode()


def test_a_code_reaches_the_telephone(aws_environment: pytest.MonkeyPatch) -> None:
    before = len(text_messages())

    async def scenario() -> None:
        async with sender() as found:
            await found.send(MESSAGE, CONTACT)

    run(scenario)
    ((phone, text),) = text_messages()[before:]
    assert phone == "+4915112345678"
    assert text == "012345 confirms 25.50 EUR to bakery-12. Good for 5 min, once. Tell it to nobody else."


def test_who_has_no_telephone_gets_none(aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with sender() as found:
            assert found.channel(CONTACT) == "sms"
            for contact in (None, Contact(email="ama@example.org")):
                assert found.channel(contact) is None
                with pytest.raises(Undelivered) as undelivered:
                    await found.send(MESSAGE, contact)
                assert undelivered.value.is_permanent

    run(scenario)


def test_any_message_is_one_part() -> None:
    """160 characters of GSM's own alphabet, in which an identifier can be spelled."""
    longest = told(binding("a" * 64, Decimal("999999999999.99"), "EUR", "_" * 64))
    text = short_text_of(CodeMessage("a" * 64, longest, "012345", 60))
    assert len(text) <= 160
    assert text.isascii()
    assert not set(text) & set("{}[]|^~\\`")


def test_what_the_service_is_asked(aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        service = Service()
        async with service.serving(aws_environment), sender() as found:
            await found.send(MESSAGE, CONTACT)
        (asked,) = service.asked
        assert (asked["Action"], asked["PhoneNumber"]) == (["Publish"], ["+4915112345678"])
        attributes = {name: value for name, value in asked.items() if name.startswith("MessageAttributes")}
        assert ["AWS.SNS.SMS.SMSType"] in attributes.values()
        assert ["Transactional"] in attributes.values()
        assert "TopicArn" not in asked

    run(scenario)


@pytest.mark.parametrize(
    ("status", "code", "is_permanent", "wait_s"),
    [
        (400, "InvalidParameter", True, 0),
        (400, "ParameterValueInvalid", True, 0),
        (400, "OptedOut", True, 0),
        (429, "Throttled", False, WAIT_S),
        (400, "Throttling", False, WAIT_S),
        (400, "KMSThrottling", False, WAIT_S),
        (403, "AuthorizationError", False, 0),
        (500, "InternalError", False, 0),
        (503, "ServiceUnavailable", False, 0),
    ],
)
def test_a_refusal_is_for_good_where_it_is_about_the_telephone(
    status: int, code: str, is_permanent: bool, wait_s: float, aws_environment: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        service = Service(status, refusal(code))
        async with service.serving(aws_environment), sender() as found:
            with pytest.raises(Undelivered) as undelivered:
                await found.send(MESSAGE, CONTACT)
        assert str(undelivered.value) == f"SNS {code}"
        assert (undelivered.value.is_permanent, undelivered.value.wait_s) == (is_permanent, wait_s)
        assert len(service.asked) == 1  # the SDK does not ask again by itself

    run(scenario)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"<ErrorResponse/>"])
def test_an_answer_that_is_none_is_no_refusal_for_good(body: bytes, aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        service = Service(502, body)
        async with service.serving(aws_environment), sender() as found:
            with pytest.raises(Undelivered) as undelivered:
                await found.send(MESSAGE, CONTACT)
        assert not undelivered.value.is_permanent

    run(scenario)


def test_who_does_not_answer_is_not_asked_again(aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        service = Service(is_silent=True)
        async with service.serving(aws_environment), sender(timeout_s=0.3) as found:
            with pytest.raises(Undelivered, match="Timeout"):
                await found.send(MESSAGE, CONTACT)
        assert len(service.asked) == 1

    run(scenario)


def test_who_is_not_there(aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with Service().serving(aws_environment), sender() as found:
            pass
        async with sender() as found:
            with pytest.raises(Undelivered):
                await found.send(MESSAGE, CONTACT)

    run(scenario)
