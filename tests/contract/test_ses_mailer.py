"""Mail by SES: against moto, and against a service that refuses in every way."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from aiohttp import web

from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.mail import SesMailer
from assay.alerts.ports import Undelivered
from local.aws import resources
from tests.contract.installations import PATIENT_S
from tests.harness.stage_host import refusal

SENDER = "alerts@example.com"


def mail() -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["From"] = f"Assay <{SENDER}>"
    made["To"] = "a@example.com"
    made["Subject"] = "Assay: DECLINE of 12,50 €"
    made.set_content("Grüße\n", cte="quoted-printable")
    return made


def recipients(count: int) -> list[str]:
    return [f"r{n}@example.com" for n in range(count)]


@asynccontextmanager
async def mailer(timeout_s: float = PATIENT_S) -> AsyncIterator[SesMailer]:
    clients = Clients()
    try:
        yield SesMailer(await clients.open("sesv2", patient(timeout_s, attempts=1)))
    finally:
        await clients.close()


def run(scenario: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.fixture
def ses(aws_environment: pytest.MonkeyPatch, moto_endpoint: str) -> Any:
    """moto's, where the sender is verified."""
    client = resources.client("ses", moto_endpoint)
    client.verify_email_identity(EmailAddress=SENDER)
    yield client
    client.delete_identity(Identity=SENDER)


def sent(client: Any) -> int:
    return int(client.get_send_quota()["SentLast24Hours"])


def test_a_mail_goes_to_each_recipient(ses: Any) -> None:
    async def scenario() -> None:
        before = sent(ses)
        async with mailer() as found:
            assert await found.send(mail(), recipients(20)) == {}
        assert sent(ses) - before >= 20  # moto counts the header too

    run(scenario)


def test_a_sender_that_is_not_verified(aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with mailer() as found:
            with pytest.raises(Undelivered, match="SES MessageRejected") as undelivered:
                await found.send(mail(), recipients(1))
            assert undelivered.value.is_permanent

    run(scenario)


class Service:
    """SES as far as it is asked here. `answers` come one after the other, the last again and again."""

    def __init__(self, *answers: web.Response | None) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        answer = self._answers[min(len(self.asked), len(self._answers)) - 1]
        if answer is None:
            await asyncio.Event().wait()
        return answer or web.Response()

    @asynccontextmanager
    async def serving(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/v2/email/outbound-emails", self.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{runner.addresses[0][1]}")
        try:
            yield
        finally:
            await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "code", "is_permanent"),
    [
        (400, "MessageRejected", True),
        (400, "BadRequestException", True),
        (429, "TooManyRequestsException", False),
        (400, "LimitExceededException", False),
        (400, "SendingPausedException", False),
        (400, "AccountSuspendedException", False),
        (400, "MailFromDomainNotVerifiedException", False),
        (403, "AccessDeniedException", False),
        (400, "ThrottlingException", False),
        (500, "InternalServiceErrorException", False),
        (503, "ServiceUnavailable", False),
    ],
)
def test_a_refusal_is_for_good_where_it_is_about_the_mail(
    status: int, code: str, is_permanent: bool, aws_environment: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        service = Service(refusal(status, code, "acct-private"))
        async with service.serving(aws_environment), mailer() as found:
            with pytest.raises(Undelivered) as undelivered:
                await found.send(mail(), recipients(2))
        assert str(undelivered.value) == f"SES {code}"
        assert undelivered.value.is_permanent is is_permanent
        assert len(service.asked) == 1  # the SDK does not ask again by itself

    run(scenario)


def test_what_the_service_is_asked(aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        service = Service(web.json_response({"MessageId": "m-1"}))
        async with service.serving(aws_environment), mailer() as found:
            assert await found.send(mail(), recipients(2)) == {}
        (asked,) = service.asked
        assert (asked["FromEmailAddress"], asked["Destination"]) == (SENDER, {"ToAddresses": recipients(2)})
        assert base64.b64decode(asked["Content"]["Raw"]["Data"]) == mail().as_bytes()
        assert b"Gr=C3=BC=C3=9Fe" in mail().as_bytes()

    run(scenario)


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{", b"{}"])
def test_an_answer_that_is_none_is_no_refusal_for_good(answer: bytes, aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        service = Service(web.Response(status=502, body=answer))
        async with service.serving(aws_environment), mailer() as found:
            with pytest.raises(Undelivered) as undelivered:
                await found.send(mail(), recipients(1))
        assert not undelivered.value.is_permanent

    run(scenario)


def test_a_service_that_is_silent_or_away(aws_environment: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        service = Service(None)
        async with service.serving(aws_environment), mailer(timeout_s=0.3) as found:
            with pytest.raises(Undelivered, match="ReadTimeoutError"):
                await found.send(mail(), recipients(1))
        assert len(service.asked) == 1
        async with mailer() as found:
            with pytest.raises(Undelivered, match="EndpointConnectionError"):
                await found.send(mail(), recipients(1))

    run(scenario)
