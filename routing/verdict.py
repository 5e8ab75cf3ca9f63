"""Verdict: what the caller of a failed request is told. Status, code, sentence, and when to come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from providers.spec.errors import FAULT_TABLE, Fault, Spend
from routing.attempt import Attempt
from routing.fallback import deadline_reached
from routing.health import block_seconds
from routing.policy import Policy
from routing.reasons import about, dollars, happened
from routing.refusals import final, refused
from routing.route_plan import Rejection, RoutePlan
from routing.wishes import EXCLUDING, MAX_PRICE

_COMES_BACK: frozenset[Fault] = frozenset({Fault.RATE_LIMITED, Fault.OVERLOADED, Fault.UNREACHABLE})
"""Faults that pass by themselves: a caller who waits may be served."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A failed request as the caller sees it, in OpenAI's terms."""

    status: int
    """HTTP status; 0 when there is nobody to answer, as in the fault table."""
    type: str
    code: str | None
    message: str
    param: str | None = None
    retry_after: int | None = None
    """Whole seconds to wait, from 1 to the policy's ``max_retry_after_s``; None: say nothing."""
    should_retry: bool | None = None
    """Value of ``x-should-retry``; None: leave it to the client."""


def verdict(plan: RoutePlan, attempts: Sequence[Attempt], *, now: float) -> Verdict:
    """What to tell the caller of a request for which nobody delivered. ``now`` is unix seconds.

    The first that applies: a single try, or a fault that allows no other, gives that fault's row of the fault table;
    the deadline gives 504; one fault in every try gives its row, so that 429 means all were rate limited; any fault
    that passes by itself gives 503; else 502. Without any try the offers' rejections are judged likewise. A retry is
    advised against whenever a vendor may bill one of the tries. Raises ValueError when an attempt delivered.
    """
    if not attempts:
        return _without_a_try(plan, now)
    faults = [_fault_of(attempt) for attempt in attempts]
    if refused(attempts):
        # Whatever became of the others asked after it: somebody looked at the content and refused it.
        answer = Fault.CONTENT_REFUSED
        message = _row_message(plan, [attempt for attempt in attempts if attempt.fault is answer])
    elif len(attempts) == 1 or final(plan, attempts):
        answer, message = faults[-1], _row_message(plan, attempts)
    elif deadline_reached(plan, attempts, now=now):
        answer, message = Fault.TIMED_OUT, _story(plan, attempts, time_over=True)
    else:
        answer = faults[0] if len(set(faults)) == 1 else _summary(faults)
        message = _unsupported(plan, attempts) if answer is Fault.UNSUPPORTED else _story(plan, attempts)
    row = FAULT_TABLE[answer]
    unpaid = all(attempt.spend is Spend.NONE for attempt in attempts)
    return Verdict(
        status=row.status,
        type=row.type,
        code=row.code,
        message=message,
        param=_parameter(answer, attempts) if row.status == 400 else None,
        retry_after=_retry_after(plan, attempts, now) if answer in _COMES_BACK else None,
        should_retry=row.should_retry if unpaid else False,
    )


def _fault_of(attempt: Attempt) -> Fault:
    """The attempt's fault; what the request's own deadline ended counts as out of time, whoever ended it."""
    if attempt.fault is None:
        raise ValueError("the request was served; there is no failure to judge")
    return Fault.TIMED_OUT if attempt.deadline_hit else attempt.fault


def _summary(faults: Iterable[Fault]) -> Fault:
    """The one fault that stands for several different ones: those that pass by themselves make it worth waiting."""
    return Fault.OVERLOADED if _COMES_BACK.intersection(faults) else Fault.BAD_REPLY


def _parameter(answer: Fault, attempts: Sequence[Attempt]) -> str | None:
    """The field the tries that ended in ``answer`` blame; the one blamed most often, then first.

    Where no try names one, a refusal is about the prompt, and what a provider cannot do is a matter of the model.
    """
    named = _most_common(attempt.parameter for attempt in attempts if attempt.fault is answer)
    return named or ("prompt" if answer is Fault.CONTENT_REFUSED else "model")


def _most_common(values: Iterable[str | None]) -> str | None:
    counted = Counter(value for value in values if value is not None).most_common(1)
    return counted[0][0] if counted else None


def _retry_after(plan: RoutePlan, attempts: Sequence[Attempt], now: float) -> int:
    """Seconds until the first offer may be asked again, of those tried and those that were left alone.

    What an offer said last is what holds for it: neither an older wait of its own nor a block that it was tried after.
    """
    policy = plan.policy
    last = {attempt.offer.key: attempt for attempt in attempts}
    waits = [
        attempt.ended_at + _wait(attempt, policy) - now
        for attempt in last.values()
        if _fault_of(attempt) in _COMES_BACK
    ]
    untried = [each for each in (*_kept_back(plan), *plan.rejections) if each.offer.key not in last]
    return _whole_seconds([*waits, *_blocks(untried, now)], policy)


def _wait(attempt: Attempt, policy: Policy) -> float:
    """How long after its end the provider wants to be left alone; a rate limit blocks it in any case."""
    stated = attempt.retry_after
    if attempt.fault is Fault.RATE_LIMITED:
        return block_seconds(stated, policy)
    return stated if stated is not None and stated > 0 else policy.default_retry_after_s


def _kept_back(plan: RoutePlan) -> list[Rejection]:
    """What kept candidates from being asked that are candidates only for want of others."""
    return [candidate.kept_back for candidate in plan.candidates if candidate.kept_back is not None]


def _blocks(rejections: Iterable[Rejection], now: float) -> list[float]:
    return [
        rejection.blocked_until - now
        for rejection in rejections
        if rejection.fault in _COMES_BACK and rejection.blocked_until is not None
    ]


def _whole_seconds(waits: Sequence[float], policy: Policy) -> int:
    shortest = min(waits, default=policy.default_retry_after_s)
    return max(1, min(ceil(min(shortest, policy.max_retry_after_s)), int(policy.max_retry_after_s)))


def _row_message(plan: RoutePlan, attempts: Sequence[Attempt]) -> str:
    """The sentence for an answer that is the last try's own fault."""
    last = attempts[-1]
    if last.deadline_hit:
        return _story(plan, attempts, time_over=True)
    if last.fault is Fault.OWN_FAULT:
        return "The gateway itself failed while it handled this request; no provider is to blame."
    return last.message or _story(plan, attempts)


def _unsupported(plan: RoutePlan, attempts: Sequence[Attempt]) -> str:
    """The sentences for a request that every provider tried found itself unable to do."""
    told = dict.fromkeys(attempt.message or f"{happened(attempt)}." for attempt in attempts)
    return " ".join([f"No provider of {plan.model} can do what was asked.", *told])


def _story(plan: RoutePlan, attempts: Sequence[Attempt], *, time_over: bool = False) -> str:
    """Who was tried and what happened, as one sentence; what happened more than once is told once."""
    counted = Counter(
        f"{attempt.offer.provider} had not finished" if attempt.deadline_hit else happened(attempt)
        for attempt in attempts
    )
    told = ", ".join(what if times == 1 else f"{what} ({times} times)" for what, times in counted.items())
    if time_over:
        return f"The request's time limit of {plan.policy.request_deadline_s:g} s was reached: {told}."
    return f"No provider delivered the image: {told}."


def _without_a_try(plan: RoutePlan, now: float) -> Verdict:
    """The verdict on a request for which nobody was asked."""
    unwell = [*_kept_back(plan), *(rejection for rejection in plan.rejections if rejection.fault is not None)]
    if plan.candidates and (not unwell or deadline_reached(plan, (), now=now)):
        limit = f"{plan.policy.request_deadline_s:g} s"
        return _from_row(Fault.TIMED_OUT, f"The request's time limit of {limit} was over before a provider was asked.")
    if plan.rejections and not unwell:
        return _objected(plan)
    told = ", ".join(about(rejection.offer.provider, rejection.reason) for rejection in unwell)
    message = f"No provider of {plan.model} can serve this request at the moment" + (f": {told}." if told else ".")
    blocks = _blocks(unwell, now)
    if not blocks:
        return _from_row(Fault.BAD_REPLY, message)
    limited = all(rejection.fault is Fault.RATE_LIMITED for rejection in unwell)
    answer = Fault.RATE_LIMITED if limited else Fault.OVERLOADED
    return _from_row(answer, message, retry_after=_whole_seconds(blocks, plan.policy))


def _objected(plan: RoutePlan) -> Verdict:
    """The verdict when nobody is asked on account of the request itself.

    What the caller can change with the least loss is named: a price cap, if that alone stands between the request and
    an offer; else the field most offers object to of those that were not left out by name; else that exclusion.
    """
    dear = [(rejection.quote.total, rejection) for rejection in _blaming(plan, {MAX_PRICE}) if rejection.quote]
    if dear:
        price, cheapest = min(dear, key=lambda entry: (entry[0], entry[1].offer.position))
        message = (
            f"No provider of {plan.model} can do what was asked within {MAX_PRICE}: the cheapest that can serve this "
            f"is {cheapest.offer.provider} at {dollars(price)}."
        )
        return _from_row(Fault.UNSUPPORTED, message, param=MAX_PRICE)
    excluded = _blaming(plan, EXCLUDING)
    eligible = [rejection for rejection in plan.rejections if rejection not in excluded]
    parameter = _most_common(rejection.parameter for rejection in eligible or excluded)
    told = "; ".join(about(rejection.offer.provider, rejection.reason) for rejection in (*eligible, *excluded))
    message = f"No provider of {plan.model} can do what was asked: {told}."
    # A prompt of the wrong length is a value nobody takes, not a feature somebody lacks.
    answer = Fault.INVALID_REQUEST if parameter == "prompt" else Fault.UNSUPPORTED
    return _from_row(answer, message, param=parameter)


def _blaming(plan: RoutePlan, parameters: Collection[str]) -> list[Rejection]:
    return [rejection for rejection in plan.rejections if rejection.parameter in parameters]


def _from_row(answer: Fault, message: str, *, param: str | None = None, retry_after: int | None = None) -> Verdict:
    row = FAULT_TABLE[answer]
    return Verdict(row.status, row.type, row.code, message, param, retry_after, row.should_retry)
