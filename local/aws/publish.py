"""What the functions find when they start: the champion release, the keys of tokens, who is told of what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.release.keys import load_or_create_signing_key
from assay.release.registry import champion
from local import tokens
from local.aws.errors import TemplateError
from local.aws.resources import Client, client
from local.places import Places

SECRETS_MANAGER = "secretsmanager:"
ALERTS = """\
link: {link}
routes:
  - name: declined
    when:
      - decisions: [DECLINE]
    to: [duty@example.org]
    digest: {{mails_per_window: 100}}
"""
"""alerts.yaml. Nobody gets these mails: moto keeps them. So each is sent at once, where people would have a digest."""


def publish_all(variables: Mapping[str, Mapping[str, str]], places: Places, link: str, endpoint: str) -> None:
    """All of it. `link`: the API's address; `endpoint`: where AWS's services are."""
    secrets, s3 = client("secretsmanager", endpoint), client("s3", endpoint)
    publish(variables, places, s3)
    publish_signing_keys(variables, places, secrets)
    publish_card_secret(variables, places, secrets)
    publish_release_key(variables, places, secrets)
    publish_alerts(variables, link, s3)
    verify_senders(variables, client("sesv2", endpoint))


def publish(variables: Mapping[str, Mapping[str, str]], places: Places, s3: Client) -> None:
    """Puts both where the functions' variables say they are. The pointer comes last, as in any publication."""
    version = champion(places.releases)
    files = sorted((places.releases / version).iterdir())
    for address in _values(variables, "ASSAY_RELEASES"):
        bucket, prefix = _place(address)
        for file in files:
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{version}/{file.name}", Body=file.read_bytes())
        s3.put_object(Bucket=bucket, Key=f"{prefix}/CHAMPION", Body=(places.releases / "CHAMPION").read_bytes())
    for address in _values(variables, "ASSAY_JWKS"):
        bucket, key = _place(address)
        s3.put_object(Bucket=bucket, Key=key, Body=tokens.jwks(places.keys).encode())


def publish_signing_keys(variables: Mapping[str, Mapping[str, str]], places: Places, secretsmanager: Client) -> None:
    """Puts the private keys where `users` reads them: the folder's own, so that `assay token` goes on to work here."""
    keys = FolderSigningKeys(places.keys).read().to_json()
    for secret in _values(variables, "ASSAY_SIGNING_KEYS"):
        secretsmanager.put_secret_value(SecretId=secret.removeprefix(SECRETS_MANAGER), SecretString=keys)


def publish_card_secret(variables: Mapping[str, Mapping[str, str]], places: Places, secretsmanager: Client) -> None:
    """Puts what orders for card management are signed with where `action_layer` reads it, if there is any."""
    if places.card_secret is None:
        return
    for secret in _values(variables, "ASSAY_CARD_MANAGEMENT_SECRET"):
        secretsmanager.put_secret_value(
            SecretId=secret.removeprefix(SECRETS_MANAGER), SecretString=places.card_secret.read_text().strip()
        )


def publish_release_key(variables: Mapping[str, Mapping[str, str]], places: Places, secretsmanager: Client) -> None:
    """Puts the folder's key of releases where `trainer` reads it; the images trust it (`emulated`)."""
    for secret in _values(variables, "ASSAY_RELEASE_KEY"):
        name = secret.rpartition(":")[2]
        secretsmanager.create_secret(Name=name, SecretString=release_key(places).read_text())


def release_key(places: Places) -> Path:
    """The folder's own, made when there is none; its public half is beside it."""
    load_or_create_signing_key(places.release_key)
    return places.release_key


def publish_alerts(variables: Mapping[str, Mapping[str, str]], link: str, s3: Client) -> None:
    """Puts who is told of what where `alerts` reads it. `link`: the API's address."""
    for address in _values(variables, "ASSAY_ALERTS"):
        bucket, key = _place(address)
        s3.put_object(Bucket=bucket, Key=key, Body=ALERTS.format(link=link).encode())


def verify_senders(variables: Mapping[str, Mapping[str, str]], ses: Client) -> None:
    """Lets the functions send mails."""
    for sender in _values(variables, "ASSAY_MAIL_FROM") | _values(variables, "ASSAY_CODES_FROM"):
        ses.create_email_identity(EmailIdentity=sender)


def _values(variables: Mapping[str, Mapping[str, str]], name: str) -> set[str]:
    return {environment[name] for environment in variables.values() if name in environment}


def _place(address: str) -> tuple[str, str]:
    scheme, _, place = address.partition("://")
    bucket, _, key = place.partition("/")
    if scheme != "s3" or not key:
        raise TemplateError(f"{address!r} is not s3://bucket/key")
    return bucket, key
