"""Fallback: what to do next, given the plan, the attempts made so far, and how the offers are by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from providers.spec.errors import FAULT_TABLE, Fault, HealthEffect, Spend
from routing.attempt import Attempt, work_of
from routing.attempt_limit import attempt_limit_s, ceiling_s
from routing.candidates import USABLE, candidate_now, until
from routing.families import SHARED_CAUSE
from routing.health import UNTRIED, Health, HealthState
from routing.hedging import first_look_s, worth_hedging
from routing.offers import Offer
from routing.policy import Policy
from routing.prices import Quote
from routing.ranking import Entry, after_failure, entry_of, ranked
from routing.refusals import final, refused
from routing.route_plan import Candidate, RoutePlan
from routing.steps import Ending, GiveUp, Hedge, Running, Step, Try, Wait, Waiting
from routing.waiting import Chance, broken, in_time, wait_for

SHORTEST_TRY_S = 0.05
"""With less time than this left no try is begun: it could not even open a connection, but might be billed."""


def next_step(
    plan: RoutePlan,
    attempts: Sequence[Attempt],
    *,
    now: float,
    draw: float,  # noqa: ARG001 - as in plan: every choice is settled by figures
    healths: Mapping[str, Health] | None = None,
    running: Sequence[Running] = (),
    idle_since: float | None = None,
    may_hedge: bool = False,
    in_line: bool = False,
) -> Step:
    """What to do now. ``now`` is unix seconds.

    ``healths`` is how the offers are by now (None: as when the plan was made). ``running`` are the tries under way:
    with any, the answer is to wait or to hedge. ``idle_since`` is when the request began to wait for an offer (None:
    it does not), ``in_line`` whether it stands in line. ``may_hedge`` says that the budget of hedges is not used
    up. Raises nothing.
    """
    ending = _ending(plan, attempts, now)
    if ending is not None:
        return GiveUp(ending)
    known = plan.healths if healths is None else healths
    if running:
        return _beside(plan, attempts, known, running, now=now, may_hedge=may_hedge)
    if not attempts and healths is None and plan.candidates:
        first = plan.candidates[0]
        if first.state in USABLE:
            return _try(plan, first, attempts, known, now=now)
    pool = _pool(plan, attempts, known, now=now)
    if not pool:
        return GiveUp(Ending.EXHAUSTED)
    # One that is out is asked when nobody else is left, and not even waiting for another is.
    pool = [each for each in pool if each.entry.state is not HealthState.OUT] or pool
    remaining = plan.deadline_at - now
    if in_line:
        pool = in_time(pool, remaining_s=remaining, whole_s=plan.deadline_at - plan.started_at)
        if not pool:
            return GiveUp(Ending.WAITED)
    ready = [each for each in pool if each.ready_at <= now]
    if ready:
        fewest = min(each.tries for each in ready)
        entries = [each.entry for each in ready if each.tries == fewest]
        return _try(plan, _best(plan, entries, attempts, now=now), attempts, known, now=now)
    since = now if idle_since is None else idle_since
    failing = broken(pool)
    if failing and now >= since + plan.policy.breaker.panic_wait_s:
        return _try(plan, _best(plan, failing, attempts, now=now), attempts, known, now=now)
    return wait_for(pool, plan.policy, now=now, since=since, deadline_at=plan.deadline_at)


def deadline_reached(plan: RoutePlan, attempts: Sequence[Attempt], *, now: float) -> bool:
    """Whether the request's time is over: too little is left to begin a try, or the last one was cut short by it."""
    return plan.deadline_at - now < SHORTEST_TRY_S or (bool(attempts) and attempts[-1].deadline_hit)


def may_try_another_model(plan: RoutePlan, attempts: Sequence[Attempt], *, now: float) -> bool:
    """Whether a request may go on with another model after this plan has come to nothing. Refused content may not."""
    return _ending(plan, attempts, now) is None and not refused(attempts)


def payments(attempts: Sequence[Attempt]) -> int:
    """How many of these attempts a vendor bills or may bill."""
    return sum(attempt.spend is not Spend.NONE for attempt in attempts) if attempts else 0


def _ending(plan: RoutePlan, attempts: Sequence[Attempt], now: float) -> Ending | None:
    policy = plan.policy
    if attempts:
        if attempts[-1].fault is None:
            return Ending.DELIVERED
        if final(plan, attempts):
            return Ending.FINAL_FAULT
    if deadline_reached(plan, attempts, now=now):
        return Ending.DEADLINE
    if payments(attempts) >= policy.max_possible_payments:
        return Ending.PAYMENTS
    if work_of(attempts) >= policy.max_attempts:
        return Ending.ATTEMPTS
    return None


def _pool(plan: RoutePlan, attempts: Sequence[Attempt], healths: Mapping[str, Health], *, now: float) -> list[Chance]:
    """The offers that may still be tried, now or later: candidates, and those that were kept back for a time."""
    offered: list[tuple[Offer, Quote]] = [(each.offer, each.quote) for each in plan.candidates]
    others = plan.rejections if plan.wishes.allow_fallbacks or plan.wishes.order else ()
    offered += [
        (each.offer, each.quote)
        for each in others
        if each.quote is not None
        and each.fault is not None
        and FAULT_TABLE[each.fault].health not in (HealthEffect.OUT, HealthEffect.OUT_LONG)
    ]
    found = []
    for offer, quote in offered:
        mine = [attempt for attempt in attempts if attempt.offer.key == offer.key]
        if work_of(mine) >= plan.policy.max_tries_per_offer or any(not _may_pass(attempt) for attempt in mine):
            continue
        entry = entry_of(offer, quote, healths.get(offer.key, UNTRIED), plan.resolution, plan.policy, now=now)
        found.append(Chance(entry, len(mine), _ready_at(entry, mine, plan.policy, now)))
    return found


def _may_pass(attempt: Attempt) -> bool:
    """Whether the same request may meet better luck at the same offer."""
    return attempt.fault in _PASSING


_PASSING = frozenset({Fault.RATE_LIMITED, Fault.OVERLOADED, Fault.TIMED_OUT, Fault.UNREACHABLE, Fault.BAD_REPLY})


def _ready_at(entry: Entry, tried: Sequence[Attempt], policy: Policy, now: float) -> float:
    rested = tried[-1].ended_at + policy.again_after_s * 2 ** max(work_of(tried) - 1, 0) if tried else now
    if entry.state in USABLE or entry.state is HealthState.OUT:
        # Waiting would not make one that is out any better.
        return rested
    if entry.state is HealthState.FULL:
        return inf
    ends = until(entry, now=now)
    return max(ends, rested) if ends > now else inf


def _best(plan: RoutePlan, entries: Sequence[Entry], attempts: Sequence[Attempt], *, now: float) -> Candidate:
    remaining = plan.deadline_at - now
    last = attempts[-1] if attempts else None
    if last is not None and last.fault in SHARED_CAUSE:
        entries = [after_failure(entry, last.offer.provider, plan.kin) for entry in entries]
    left = plan.policy.max_attempts - work_of(attempts)
    placed = ranked(entries, plan.objective, plan.wishes, tries=left, remaining_s=remaining)
    return candidate_now(plan, placed[0], attempts, now=now, placed=placed)


def _try(
    plan: RoutePlan, candidate: Candidate, attempts: Sequence[Attempt], healths: Mapping[str, Health], *, now: float
) -> Try:
    remaining = plan.deadline_at - now
    own = _own_limit(plan, candidate, attempts, healths, remaining)
    short = remaining <= own
    return Try(candidate, limit_s=remaining if short else own, ends_at_deadline=short)


def _own_limit(
    plan: RoutePlan,
    candidate: Candidate,
    attempts: Sequence[Attempt],
    healths: Mapping[str, Health],
    remaining: float,
) -> float:
    """The try's own limit; the longest there is when giving up earlier would leave no time for anybody else."""
    ceiling = ceiling_s(plan.resolution, plan.policy)
    tried = {candidate.offer.key}
    for attempt in attempts:
        tried.add(attempt.offer.key)
    others = [each.expected_seconds for each in plan.candidates if each.offer.key not in tried]
    if not others:
        return ceiling
    health = healths.get(candidate.offer.key)
    estimate = health.estimate if health is not None else None
    own = attempt_limit_s(estimate, plan.resolution, plan.policy, probe=candidate.probe)
    return ceiling if remaining - own < min(others) / 2 else own


def _beside(
    plan: RoutePlan,
    attempts: Sequence[Attempt],
    healths: Mapping[str, Health],
    running: Sequence[Running],
    *,
    now: float,
    may_hedge: bool,
) -> Step:
    """What to do while a try is under way: wait for it, or ask a second provider."""
    policy, knobs = plan.policy, plan.policy.hedging
    first = running[0]
    bound = payments(attempts) + len(running) < policy.max_possible_payments
    tries_left = work_of(attempts) + len(running) < policy.max_attempts
    if not (plan.hedging and may_hedge and bound and tries_left and len(running) == 1):
        return Wait(plan.deadline_at, Waiting.LOOK)
    known = healths.get(first.candidate.offer.key, UNTRIED)
    entry = entry_of(first.candidate.offer, first.candidate.quote, known, plan.resolution, policy, now=now)
    look_at = first.started_at + first_look_s(entry.option, knobs)
    if now < look_at:
        return Wait(min(look_at, plan.deadline_at), Waiting.LOOK)
    ready = [
        each.entry
        for each in _pool(plan, attempts, healths, now=now)
        if each.ready_at <= now
        and each.entry.state is HealthState.SERVING
        and each.entry.offer.key != first.candidate.offer.key
        and each.entry.health.load <= knobs.load_share
    ]
    remaining = plan.deadline_at - now
    for second in ranked(ready, plan.objective, plan.wishes, tries=policy.max_attempts, remaining_s=remaining):
        if worth_hedging(
            entry.option,
            second.entry.option,
            plan.objective,
            knobs,
            age_s=now - first.started_at,
            limit_s=first.limit_s,
            remaining_s=remaining,
        ):
            own = attempt_limit_s(second.entry.estimate, plan.resolution, policy)
            candidate = candidate_now(plan, second, attempts, now=now, running=first.candidate.offer.provider)
            return Hedge(candidate, min(own, remaining), ends_at_deadline=remaining <= own)
    return Wait(min(now + knobs.look_s, plan.deadline_at), Waiting.LOOK)
