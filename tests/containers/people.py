"""People and programs of the running installation: commands, logins, service clients, mails."""

from __future__ import annotations

import email
import os
import subprocess
import sys
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import httpx

from local.aws.stack import LocalAws

PASSWORD = "seven lime trees in a row"
TIMEOUT_S = 60


def assay(aws: LocalAws, *arguments: str, standard_input: str = "") -> str:
    """Output of the `assay` command, told to work on the installation."""
    command = [sys.executable, "-m", "local", *arguments]
    done = subprocess.run(  # noqa: S603 - our own command
        command,
        input=standard_input,
        env={**os.environ, **aws.environment()},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def create_admin(aws: LocalAws, address: str) -> None:
    """As an operator does."""
    names = {"users": "IdentityTable", "outbox": "OutboxTable"}
    tables = [word for name, table in names.items() for word in (f"--{name}-table", aws.resources[table].ref)]
    topic = ["--events-topic", aws.resources["EventsTopic"].ref]
    assay(aws, "users", "create-admin", address, "--password-stdin", *tables, *topic, standard_input=PASSWORD)


def log_in(aws: LocalAws, address: str) -> httpx.Client:
    """A client of the API with the person's token."""
    answer = httpx.post(
        f"{aws.api_url}/auth/login", json={"email": address, "password": PASSWORD}, timeout=TIMEOUT_S, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return _client(aws, answer.json()["access_token"])


def register_client(admin: httpx.Client, name: str, scopes: list[str]) -> str:
    """The secret of a new service client."""
    made = admin.post("/clients", json={"client_id": name, "scopes": scopes})
    assert made.status_code == 201, made.text
    return str(made.json()["client_secret"])


def client_of(aws: LocalAws, name: str, secret: str) -> httpx.Client:
    """A client of the API with the service client's token."""
    answer = httpx.post(
        f"{aws.api_url}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(name, secret),
        timeout=TIMEOUT_S,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return _client(aws, answer.json()["access_token"])


def mails(aws: LocalAws) -> list[EmailMessage]:
    """What moto was given to send."""
    held: dict[str, Any] = httpx.get(f"{aws.aws_url}/moto-api/data.json", timeout=TIMEOUT_S, trust_env=False).json()
    raw = [message["raw_data"] for message in held["ses"]["RawMessage"]]
    return [cast(EmailMessage, email.message_from_string(text, policy=default)) for text in raw]


def text(mail: EmailMessage) -> str:
    """Its plain text."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _client(aws: LocalAws, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=aws.api_url, headers=headers, timeout=TIMEOUT_S, trust_env=False)
