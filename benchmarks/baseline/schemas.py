"""The contracts of seed B's services, as its document names them."""

from __future__ import annotations

from pydantic import BaseModel

VOCABULARY = {
    "geo_country": ("GH", "NG", "KE", "ZA", "US", "GB"),
    "currency": ("GHS", "NGN", "KES", "ZAR", "USD", "GBP"),
    "channel": ("mobile", "web", "atm", "pos"),
    "auth_method": ("pin", "biometric", "otp", "password"),
}
CODES = {name: {value: code for code, value in enumerate(values)} for name, values in VOCABULARY.items()}


class Transaction(BaseModel):
    """The 17 fields."""

    tx_count_last_5m: float
    tx_count_last_1h: float
    tx_frequency_ratio: float
    amount: float
    avg_tx_amount_7d: float
    amount_to_avg_ratio: float
    new_device_flag: int
    device_seen_before: int
    country_mismatch_flag: int
    accounts_per_device: float
    accounts_per_ip_24h: float
    failed_login_count_last_1h: float
    failed_logins_then_success: int
    channel: str
    auth_method: str
    geo_country: str
    currency: str

    def code(self, name: str) -> int:
        """A category as the models know it; an unknown one is the last."""
        return CODES[name].get(getattr(self, name), len(CODES[name]))

    def anomaly_row(self) -> list[float]:
        """The 13 features of the two unsupervised models."""
        return [
            self.tx_count_last_5m, self.tx_count_last_1h, self.tx_frequency_ratio, self.amount, self.avg_tx_amount_7d,
            self.amount_to_avg_ratio, self.failed_login_count_last_1h, self.accounts_per_device,
            self.accounts_per_ip_24h, self.code("geo_country"), self.code("currency"), self.code("channel"),
            self.code("auth_method"),
        ]  # fmt: skip

    def boosted_row(self) -> list[float]:
        """The 17 features of the classifier."""
        return [
            self.tx_count_last_5m, self.tx_count_last_1h, self.tx_frequency_ratio, self.amount, self.avg_tx_amount_7d,
            self.amount_to_avg_ratio, self.new_device_flag, self.device_seen_before, self.country_mismatch_flag,
            self.accounts_per_device, self.accounts_per_ip_24h, self.failed_login_count_last_1h,
            self.failed_logins_then_success, self.code("channel"), self.code("auth_method"), self.code("geo_country"),
            self.code("currency"),
        ]  # fmt: skip


class RulesResult(BaseModel):
    rules_flag: str
    triggered_rules: list[str]
    block_rules_hit: list[str]
    flag_rules_hit: list[str]
    total_rules: int
    rules_failed: int
    failure_pct: float


class IFScore(BaseModel):
    if_score: float


class AEScore(BaseModel):
    ae_error: float
    ae_threshold: float
    ae_anomaly: bool


class XGBScore(BaseModel):
    fraud_score: float
    is_fraud: bool


class DecideRequest(BaseModel):
    fraud_score: float
    if_score: float
    ae_error: float
    rules_flag: str
    triggered_rules: list[str]


class FraudVerdict(BaseModel):
    decision: str
    is_early_exit: bool
    fraud_score: float | None
    anomaly_score: float | None
    reconstruction_error: float | None
    confidence: str
    triggered_by: str
    reason: str
    timestamp: str


class ActionAck(BaseModel):
    action_taken: str
    timestamp: str


class PostAuthPayload(BaseModel):
    transaction: Transaction
    verdict: FraudVerdict
    timestamp: str
