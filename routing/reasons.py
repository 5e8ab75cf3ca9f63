"""Reasons: the sentences in which routing explains its choices and its failures. Our words, never a vendor's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import ceil
from types import MappingProxyType

from providers.spec.errors import Fault
from providers.spec.request import Operation, Resolution
from routing.attempt import Attempt

SUBJECT = "this provider"
"""How a reason names the provider it is about, so that the same sentence serves with and without its name."""

_HAPPENED: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.INVALID_REQUEST: "found the request invalid",
        Fault.UNSUPPORTED: "cannot do what was asked",
        Fault.CONTENT_REFUSED: "refused the content of the request",
        Fault.CREDENTIALS: "did not accept the gateway's credentials",
        Fault.OUT_OF_FUNDS: "did not accept the gateway's account",
        Fault.MODEL_GONE: "no longer has the model",
        Fault.RATE_LIMITED: "was rate limited",
        Fault.OVERLOADED: "was overloaded",
        Fault.TIMED_OUT: "did not finish in time",
        Fault.UNREACHABLE: "could not be reached",
        Fault.BAD_REPLY: "answered without a usable image",
        Fault.ABANDONED: "was abandoned",
        Fault.OWN_FAULT: "was not to blame: the gateway itself failed",
    }
)


def dollars(amount: Decimal) -> str:
    """An amount of USD in plain notation, without superfluous zeros: ``$0.0672``."""
    return f"${amount.normalize():f}"


def happened(attempt: Attempt) -> str:
    """How a failed try ended, for the caller: ``fal was overloaded``.

    Raises ValueError for a try that delivered.
    """
    if attempt.fault is None:
        raise ValueError("the attempt delivered; there is no failure to tell")
    return f"{attempt.offer.provider} {_HAPPENED[attempt.fault]}"


def about(provider: str, reason: str) -> str:
    """A reason with the provider's name in place of ``this provider``: ``fal offers 1K, 2K``."""
    rest = reason.removeprefix(SUBJECT)
    return f"{provider}: {reason}" if rest == reason else f"{provider}{rest}"


def unpriced_reason(operation: Operation, resolution: Resolution | None) -> str:
    """Why an offer without a price line for this request is left out."""
    return f"{SUBJECT} has no price for this model to {operation.value}{_at(resolution)}"


def blocked_reason(seconds_left: float) -> str:
    """Why a rate-limited offer is left out; the block ends in ``seconds_left``."""
    return f"{SUBJECT} {_HAPPENED[Fault.RATE_LIMITED]} and is left alone for {ceil(seconds_left)} s more"


def out_reason(fault: Fault, seconds_left: float) -> str:
    """Why an offer that is out is left out; it may be probed in ``seconds_left``."""
    return f"{SUBJECT} {_HAPPENED[fault]} and is probed again in {ceil(seconds_left)} s"


def rank_reason(rank: int, ranking: Sequence[tuple[str, Decimal, Fault | None]], resolution: Resolution | None) -> str:
    """Why the candidate at ``rank`` (from 0) stands there.

    ``ranking`` holds every candidate in order: provider, price in USD, and the fault it is probed for, None if it
    is not out.
    """
    _, price, out_fault = ranking[rank]
    amount, at = dollars(price), _at(resolution)
    if out_fault is not None:
        return f"a probe: it {_HAPPENED[out_fault]} when last tried; {amount}{at}"
    if rank > 0:
        previous, previous_price, _ = ranking[rank - 1]
        if price == previous_price:
            return f"as cheap as {previous}{at}: {amount}; the configuration names {previous} first"
        return f"{dollars(price - previous_price)} dearer than {previous}{at}: {amount}"
    rivals = [(name, other) for name, other, _ in ranking[1:]]
    if not rivals:
        return f"the only offer that can serve this request: {amount}{at}"
    rival, rival_price = rivals[0]
    if price == rival_price:
        return f"as cheap as {rival}{at}: {amount}; the configuration names it first"
    return f"cheapest{at}: {amount}; next is {rival} at {dollars(rival_price)}"


def _at(resolution: Resolution | None) -> str:
    return f" at {resolution.value}" if resolution is not None else ""
