"""The features again, naively: every event is kept, and every answer is worked out from all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import asin, cos, sin, sqrt

from assay.features.geography import centroids
from assay.features.transaction import Login, Transaction

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def mean(values):
    return sum(values) / len(values) / 10_000 if values else None


def distance(one, other):
    if one not in centroids() or other not in centroids():
        return None
    (a, b), (c, d) = centroids()[one], centroids()[other]
    return 2 * 6371.0088 * asin(sqrt(sin((c - a) / 2) ** 2 + cos(a) * cos(c) * sin((d - b) / 2) ** 2))


@dataclass
class Oracle:
    transactions: list[Transaction] = field(default_factory=list)
    logins: list[Login] = field(default_factory=list)
    frauds: list[Transaction] = field(default_factory=list)

    def observe(self, tx):
        """Features by name, without those that the transaction says by itself."""
        if tx.account is None:
            return {}
        before = [e for e in self.transactions if e.account is not None]
        self.transactions.append(tx)
        return {**self._account(tx, before), **self._logins(tx, before), **self._others(tx, before)}

    def _horizon(self, tx, before):
        times = [e.time for e in before if e.account == tx.account]
        times += [e.time for e in self.logins if e.account == tx.account]
        return max(times, default=-(10**30)) - 37 * DAY

    def _account(self, tx, before):
        t = tx.time
        own = [e for e in before if e.account == tx.account]
        horizon = self._horizon(tx, before)

        def window(width, *more):
            return [e for e in [*own, *more] if t - width < e.time <= t]

        def known(width, value):
            return value if t - width >= horizon and t > horizon else None

        hour, week = len(window(HOUR, tx)), window(7 * DAY)
        earlier = [e.amount for e in week if e.amount is not None]
        usual = mean(earlier) if earlier else mean([tx.amount] if tx.amount is not None else [])
        ratio = None if tx.amount is None or not usual else tx.amount / 10_000 / usual
        answers = {
            "tx_count_last_5m": known(5 * MINUTE, len(window(5 * MINUTE, tx))),
            "tx_count_last_1h": known(HOUR, hour),
            "tx_frequency_ratio": known(7 * DAY, hour / max(1, len(week) / 168)),
            "avg_tx_amount_7d": known(7 * DAY, usual),
            "amount_to_avg_ratio": known(7 * DAY, ratio),
            "country_mismatch_flag": known(30 * DAY, self._mismatch(tx, window(30 * DAY))),
        }
        for days in (1, 7, 30):
            inside = window(days * DAY, tx)
            answers[f"account_tx_count_{days}d"] = known(days * DAY, len(inside))
            amounts = [e.amount for e in inside if e.amount is not None]
            answers[f"account_amount_mean_{days}d"] = known(days * DAY, mean(amounts))
        day = window(DAY, tx)
        answers["distinct_counterparties_24h"] = known(DAY, len({e.counterparty for e in day} - {None}))
        answers["distinct_countries_24h"] = known(DAY, len({e.country for e in day} - {None}))
        late = any(e.time > t for e in [*own, *(e for e in self.logins if e.account == tx.account)])
        since, speed = self._previous(tx, own, horizon if late else -(10**30))
        return {**answers, "seconds_since_last_tx": since, "travel_speed_kmh": speed}

    @staticmethod
    def _mismatch(tx, window):
        if tx.country is None:
            return None
        placed = [e for e in window if e.country is not None]
        if not placed:
            return 0
        counts = Counter(e.country for e in placed)
        last = {c: max(e.time for e in placed if e.country == c) for c in counts}
        return int(tx.country != max(counts, key=lambda c: (counts[c], last[c], c)))

    @staticmethod
    def _previous(tx, own, horizon):
        past = [e for e in own if horizon < e.time <= tx.time]
        if not past or tx.time <= horizon:
            return None, None
        last = max(e.time for e in past)
        placed = [e for e in past if e.country is not None and e.time > last - 30 * DAY]
        speed = None
        if placed and tx.country is not None:
            previous = max(placed, key=lambda e: (e.time, e.country))
            km = 0.0 if previous.country == tx.country else distance(previous.country, tx.country)
            speed = None if km is None else km / (max(tx.time - previous.time, MINUTE) / HOUR)
        return (tx.time - last) / 1e6, speed

    def _logins(self, tx, before):
        t, horizon = tx.time, self._horizon(tx, before)
        if t - HOUR < horizon:
            return {"failed_login_count_last_1h": None, "failed_logins_then_success": None}
        hour = [e for e in self.logins if e.account == tx.account and t - HOUR < e.time <= t]
        failed = [e.time for e in hour if not e.success]
        guessed = any(e.success and sum(f <= e.time for f in failed) >= 3 for e in hour)
        return {"failed_login_count_last_1h": len(failed), "failed_logins_then_success": int(guessed)}

    def _others(self, tx, before):
        answers = {
            "accounts_per_device": self._accounts(tx, before, "device", 30 * DAY),
            "accounts_per_ip_24h": self._accounts(tx, before, "address", DAY),
            "new_device_flag": None,
            "device_seen_before": None,
        }
        if tx.device is not None:
            seen = [e for e in before if e.device == tx.device and e.time <= tx.time]
            answers["device_seen_before"] = int(bool(seen))
            answers["new_device_flag"] = int(not any(e.account == tx.account for e in seen))
        same = [e for e in before if e.counterparty == tx.counterparty]
        horizon = max((e.time for e in same), default=-(10**30)) - 44 * DAY
        for days in (1, 7, 30):
            until = tx.time - 7 * DAY
            inside = [e for e in same if until - days * DAY < e.time <= until]
            share = sum(any(e is f for f in self.frauds) for e in inside) / len(inside) if inside else 0
            known = tx.counterparty is not None and until - days * DAY >= horizon
            answers[f"counterparty_tx_count_{days}d"] = len(inside) if known else None
            answers[f"counterparty_fraud_share_{days}d"] = share if known else None
        return answers

    @staticmethod
    def _accounts(tx, before, kind, width):
        key, t = getattr(tx, kind), tx.time
        same = [e for e in before if getattr(e, kind) == key]
        if key is None or t - width < max((e.time for e in same), default=-(10**30)) - width - 7 * DAY:
            return None
        return len({e.account for e in [*same, tx] if t - width < e.time <= t})
