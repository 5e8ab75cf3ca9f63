"""Outcomes, notices and stores for the tests of stores."""

from __future__ import annotations

import random
import secrets
from math import exp

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.breaker import Breaker
from routing.health import Health
from routing.stats.outcome import Outcome, OutcomeKind, StatKey
from routing.stats.redis_store import RedisStore
from routing.stats.store import Notice

NOW = 1_790_000_000.0
"""2026-09-21, in unix seconds."""
KEY = StatKey("gemini/pictura", Operation.GENERATE, Resolution.R1K)
LEASE_S = 60.0


def outcome(
    *, at: float = NOW, seconds: float = 12.5, kind: OutcomeKind = OutcomeKind.DELIVERED, key: StatKey = KEY
) -> Outcome:
    return Outcome(key, kind, at, seconds, seconds * 0.75 if kind is OutcomeKind.DELIVERED else None)


def notice(offer: str = "gemini/pictura", *, at: float = NOW) -> Notice:
    breaker = Breaker(score=5.5, opened_at=at, open_until=at + 15.0, open_s=15.0)
    health = Health(
        blocked_until=at + 7.25,
        out_fault=Fault.CREDENTIALS,
        out_since=at,
        next_probe_at=at + 600.0,
        last_fault=Fault.CREDENTIALS,
    )
    return Notice(offer, at, health, breaker)


def outcomes(count: int, *, seed: int = 1, since: float = NOW - 600.0, until: float = NOW) -> list[Outcome]:
    """Outcomes of several keys and all kinds, in the order of their time."""
    dice = random.Random(seed)
    keys = [
        StatKey(offer, operation, resolution)
        for offer in ("gemini/pictura", "fal/pictura")
        for operation in Operation
        for resolution in (Resolution.R1K, Resolution.R4K, None)
    ]
    kinds = [OutcomeKind.DELIVERED] * 8 + [OutcomeKind.FAILED, OutcomeKind.REFUSED]
    times = sorted(dice.uniform(since, until) for _ in range(count))
    return [
        outcome(at=at, seconds=exp(dice.gauss(2.6, 0.4)), kind=dice.choice(kinds), key=dice.choice(keys))
        for at in times
    ]


def fresh_prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


def redis_store(url: str, prefix: str, replica: str = "") -> RedisStore:
    return RedisStore(url, replica=replica or secrets.token_hex(6), lease_s=LEASE_S, prefix=prefix)
