"""Where an embedded installation keeps things. Light: every command loads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MODELS = Path(__file__).resolve().parents[1] / "models"
SENDER = "assay@localhost"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the embedded installation keeps things."""

    data: Path
    models: Path = MODELS
    geoip: Path | None = None
    """A database in MaxMind's format; the packaged one, when none is named."""
    alerts: Path | None = None
    """alerts.yaml; when none is named, that of the data folder, or else the default."""
    mail: str = ""
    """`smtp://host:port` or a folder; the mailbox folder when empty."""
    mail_from: str = SENDER
    mail_password: str = field(default="", repr=False)
    address: str = "http://127.0.0.1:8080"
    """Where links of the default alerts lead."""
    card_management: str = ""
    """URL of the bank's card system; the folder of card orders when empty."""
    card_secret: Path | None = None
    """File of what orders to a URL are signed with."""
    allow_local_webhooks: bool = False
    """Whether webhooks of clients may be on private addresses, and without TLS."""

    @property
    def keys(self) -> Path:
        """Signing keys of this installation."""
        return self.data / "keys"

    @property
    def database(self) -> Path:
        """Everything but the audit log."""
        return self.data / "assay.db"

    @property
    def audit(self) -> Path:
        """The audit log; its anchor is in the database."""
        return self.data / "audit"

    @property
    def mailbox(self) -> Path:
        """Mails, when no mail server is named."""
        return self.data / "mailbox"

    @property
    def card_orders(self) -> Path:
        """Orders for card management, when no URL is named."""
        return self.data / "card-management"

    @property
    def codes(self) -> str:
        """Where one-time codes go: by the mail server when one is named, else a folder beside the mails."""
        return self.mail if "://" in self.mail else str(Path(self.mail or self.mailbox) / "codes")

    @property
    def release_key(self) -> Path:
        """What releases are signed with here; the public half is beside it as `.pub`."""
        return self.keys / "release.pem"

    @property
    def releases(self) -> Path:
        """The release registry."""
        return self.models / "releases"
