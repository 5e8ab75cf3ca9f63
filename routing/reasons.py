"""Reasons: the sentences in which routing explains its choices and its failures. Our words, never a vendor's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def open_reason(seconds_left: float) -> str:
    """Why an offer whose breaker is open is left out."""
    if seconds_left <= 0:
        return f"{SUBJECT} kept failing, and another request is looking whether it is back"
    return f"{SUBJECT} kept failing and is left alone for {ceil(seconds_left)} s more"


def full_reason() -> str:
    """Why an offer at its limit is left out."""
    return f"{SUBJECT} bears no more requests at once just now"


def unsupported_reason(operation: Operation, resolution: Resolution | None) -> str:
    """Why an offer is left out that has lately said it cannot do this."""
    return f"{SUBJECT} has lately said that it cannot {operation.value}{_at(resolution)}"


def no_fallback_reason(first: str) -> str:
    """Why an offer behind the first is left out when the caller allows no fallback."""
    return f"{SUBJECT} would be a fallback after {first}, and none is allowed"


def last_resort_reason(kept_back: str) -> str:
    """Why an offer is a candidate that would be kept back if there were another."""
    return f"the last resort, for nobody else can be asked: {kept_back}"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a rank rests on, as far as a reason tells it."""

    provider: str
    price: Decimal
    index: float
    seconds: float
    success: float


def rank_reason(
    rank: int,
    standings: Sequence[Standing],
    resolution: Resolution | None,
    objective_name: str,
    *,
    out_fault: Fault | None = None,
    on_trial: bool = False,
    explored: bool = False,
) -> str:
    """Why the candidate at ``rank`` (from 0) of all candidates in order stands there.

    ``out_fault``: what it is probed for; ``on_trial``: its breaker is half open; ``explored``: it stands first because
    it may have become the best.
    """
    own = standings[rank]
    figures = f"{dollars(own.price)}{_at(resolution)}, {own.seconds:.1f} s, {own.success:.0%} deliver"
    if out_fault is not None:
        return f"a probe: it {_HAPPENED[out_fault]} when last tried; {figures}"
    if on_trial:
        return f"a probe: it kept failing until lately; {figures}"
    if explored:
        return f"a probe: it may have become the best by now; {figures}"
    if rank > 0:
        first = standings[0]
        return f"{_against(own, standings[rank - 1], first)}; {figures}"
    if len(standings) == 1:
        return f"the only offer that can serve this request: {figures}"
    rival = standings[1]
    if own.index == rival.index:
        return f"as good as {rival.provider}, and the configuration names it first ({objective_name}): {figures}"
    return f"best by index {own.index:.4f} ({objective_name}): {figures}; next is {rival.provider} at {rival.index:.4f}"


def _against(own: Standing, previous: Standing, first: Standing) -> str:
    if own.index == previous.index:
        return f"index {own.index:.4f}, as good as {previous.provider}, which the configuration names first"
    more = (own.index / first.index - 1) if first.index > 0 else 0.0
    if more < 0:
        return f"index {own.index:.4f}; {first.provider} goes before it all the same"
    return f"index {own.index:.4f}, {more:.1%} above {first.provider}"


def _at(resolution: Resolution | None) -> str:
    return f" at {resolution.value}" if resolution is not None else ""
