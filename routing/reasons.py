"""Reasons: the sentences in which routing explains its choices and its failures. Our words, never a vendor's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
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


class Before(StrEnum):
    """Why one candidate stands before another. The value is how a reason says it."""

    INDEX = "by its index"
    CONFIGURATION = "in the configuration"
    """Nothing else tells the two apart."""
    ORDER = "by provider.order"
    LATENCY = "by provider.preferred_max_latency"
    TRIAL = "for want of time for a trial"
    """The other would have to show that it is back, and the deadline leaves no time for it."""
    SHORT = "in the time and the tries that are left"
    """The order by index is best only where both suffice for trying everybody."""


_FIRST: Mapping[Before, str] = MappingProxyType(
    {
        Before.ORDER: "first by provider.order",
        Before.LATENCY: "within provider.preferred_max_latency",
        Before.TRIAL: "first, for there is no time for a trial of another",
        Before.SHORT: "best in the time and the tries that are left",
    }
)
_MOST_SHOWN = 0.999
"""No share is shown above this: nobody is known to deliver always, and one decimal would round up to saying so."""


def figures_told(price: str, resolution: Resolution | None, seconds: float, success: float) -> str:
    """What an index rests on: ``$0.08 at 1K, 16.2 s, 93.0% deliver``. ``price``: as ``dollars`` says it."""
    if success > _MOST_SHOWN:
        success = _MOST_SHOWN
    return f"{price}{_at(resolution)}, {seconds:.1f} s, {success:.1%} deliver"


def objective_told(name: str, value_of_time: float | None) -> str:
    """The policy's name; with the caller's own USD per second, where that replaces the policy's (None: it does not)."""
    return name if value_of_time is None else f"{name}, a second worth {dollars(Decimal(str(value_of_time)))}"


def exploring_reason(figures: str) -> str:
    """Why an offer that is not the best is asked first."""
    return f"a probe: it may have become the best by now; {figures}"


def out_probe_reason(fault: Fault, figures: str) -> str:
    """Why an offer is a probe that was out with this fault."""
    return f"a probe: it {_HAPPENED[fault]} when last tried; {figures}"


def trial_reason(figures: str) -> str:
    """Why an offer is a probe whose breaker is half open."""
    return f"a probe: it kept failing until lately; {figures}"


def only_reason(figures: str, *, others_rest: bool) -> str:
    """Why the only candidate is one. ``others_rest``: there are others, which cannot be asked just now."""
    who = "the only one that can be asked just now" if others_rest else "the only offer that can serve this request"
    return f"{who}: {figures}"


def first_reason(
    cause: Before, index: float, rival: str, rival_index: float, following: str, *, objective: str, figures: str
) -> str:
    """Why the first of several candidates goes first.

    ``rival``: of the others the one with the lowest index; ``following``: the second and its index, as told;
    ``cause``: why the first goes before the rival; ``objective``: as ``objective_told`` says it.
    """
    if cause is Before.INDEX:
        return f"best by index {index:.4f} ({objective}): {figures}; next is {following}"
    if cause is Before.CONFIGURATION:
        return f"as good as {rival}, and the configuration names it first ({objective}): {figures}"
    against = f"as good as {rival}" if index == rival_index else f"against {rival}'s {rival_index:.4f}"
    return f"{_FIRST[cause]}: index {index:.4f} ({objective}), {against}; {figures}"


def later_reason(cause: Before, index: float, other: str, other_index: float, figures: str) -> str:
    """Why a candidate behind the first stands there; ``cause``: why the ``other`` goes before it."""
    own = f"index {index:.4f}"
    if index > other_index > 0:
        return f"{own}, {index / other_index - 1:.1%} above {other}; {figures}"
    if cause is Before.CONFIGURATION:
        return f"{own}, as good as {other}, which the configuration names first; {figures}"
    if cause is Before.INDEX:
        return f"{own}, above {other}; {figures}"
    return f"{own}; {other} goes before it {cause.value}; {figures}"


def index_reason(index: float, figures: str) -> str:
    """Why an offer is tried where what went before says the rest."""
    return f"index {index:.4f}; {figures}"


def back_reason(figures: str) -> str:
    """Why an offer is tried that was kept back when the plan was made."""
    return f"it could not be asked when the plan was made, and can be by now; {figures}"


def following(occasion: str, reason: str) -> str:
    """A reason with what led to it, as ``since`` or ``beside`` tells it: ``after fal was overloaded: index 0.0838``."""
    return f"{occasion}{',' if ':' in reason else ':'} {reason}"


def since(last: Attempt, *, again: bool) -> str:
    """What led to a further try: how the ``last`` one failed. ``again``: the offer has been tried already."""
    return f"{'again, ' if again else ''}after {happened(last)}"


def beside(running: str) -> str:
    """What led to a hedge: a provider that is still at work."""
    return f"beside {running}, which has not answered yet"


def _at(resolution: Resolution | None) -> str:
    return f" at {resolution}" if resolution is not None else ""
