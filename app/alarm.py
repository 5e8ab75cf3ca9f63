"""Alarm: the faults that somebody has to do something about, as log lines that say what."""

from __future__ import annotations

import structlog

from providers.spec.errors import FAULT_TABLE, Fault, HealthEffect
from routing.attempt import Attempt

_log: structlog.stdlib.BoundLogger = structlog.get_logger("gateway")

_ADVICE = {
    Fault.CREDENTIALS: "check this provider's key: it refused it",
    Fault.OUT_OF_FUNDS: "top up this provider's account: it says the balance is used up",
    Fault.MODEL_GONE: "the provider no longer has this model id: change it in config/models.toml",
}


def sound_alarm(attempt: Attempt, request_id: str) -> None:
    """A line for an attempt that failed because the operator has to act, or because of a fault of our own."""
    if attempt.fault is None:
        return
    effect = FAULT_TABLE[attempt.fault].health
    if effect in {HealthEffect.OUT, HealthEffect.OUT_LONG}:
        _log.error(
            "provider_out",
            request_id=request_id,
            offer=attempt.offer.key,
            outcome=attempt.outcome,
            advice=_ADVICE[attempt.fault],
        )
    elif attempt.fault is Fault.OWN_FAULT:
        _log.error("own_fault", request_id=request_id, offer=attempt.offer.key, detail=attempt.detail)
