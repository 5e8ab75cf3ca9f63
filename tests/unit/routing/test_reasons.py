"""Tests of reasons: every sentence is true of the plan, or of the try, that it is given for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spec.errors import Fault
from routing.attempt import Attempt
from routing.breaker import Breaker
from routing.fallback import next_step
from routing.health import Health
from routing.objective import index_of
from routing.plan import RoutePlan
from routing.reasons import figures_told, objective_told
from routing.route_plan import Candidate
from routing.steps import Hedge, Running, Try
from routing.wishes import RouteWishes
from tests.unit.routing.making import NOW, POLICY, REQUEST, estimate, failed, keyed, made, offer, option, order

TWO = {"gemini": "0.067", "fal": "0.08"}
FIGURES = {"gemini": "$0.067 at 1K, 16.2 s, 93.0% deliver", "fal": "$0.08 at 1K, 16.2 s, 93.0% deliver"}
BLOCKED = Health(blocked_until=NOW + 20)
OPEN = Health(breaker=Breaker(score=5.5, opened_at=NOW - 5, open_until=NOW + 40, open_s=45))
HALF_OPEN = Health(breaker=Breaker(score=5.5, opened_at=NOW - 15, open_until=NOW, open_s=15))
OUT = Health(out_fault=Fault.CREDENTIALS, out_since=NOW - 10, next_probe_at=NOW + 590)


def reasons(route: RoutePlan) -> dict[str, str]:
    return {each.offer.provider: each.reason for each in route.candidates}


def tried(
    route: RoutePlan, *attempts: Attempt, healths: dict[str, Health] | None = None, now: float = NOW + 60
) -> Candidate:
    step = next_step(route, attempts, now=now, draw=0.5, healths=healths or {}, idle_since=NOW)
    assert isinstance(step, Try), step
    return step.candidate


# The first, where another has the better index


def test_the_callers_order_is_the_reason_for_a_first_that_is_not_the_best() -> None:
    told = reasons(made(TWO, wishes=RouteWishes(order=("fal",))))
    assert told == {
        "fal": f"first by provider.order: index 0.0966 (balanced), against gemini's 0.0836; {FIGURES['fal']}",
        "gemini": f"index 0.0836; fal goes before it by provider.order; {FIGURES['gemini']}",
    }


def test_an_order_that_names_the_best_first_is_not_the_reason() -> None:
    assert reasons(made(TWO, wishes=RouteWishes(order=("gemini",))))["gemini"].startswith("best by index 0.0836")


def test_of_two_equally_good_the_callers_order_is_not_taken_for_the_configurations() -> None:
    told = reasons(made({"gemini": "0.08", "fal": "0.08"}, wishes=RouteWishes(order=("fal",))))
    assert told["fal"].startswith("first by provider.order: index 0.0966 (balanced), as good as gemini; ")
    assert told["gemini"].startswith("index 0.0966; fal goes before it by provider.order; ")


def test_a_preferred_latency_is_the_reason_for_a_first_that_is_not_the_best() -> None:
    healths = keyed(gemini=Health(estimate=estimate(20.0)), fal=Health(estimate=estimate(10.0)))
    told = reasons(made(TWO, healths=healths, wishes=RouteWishes(preferred_max_latency=((0.5, 12.0),))))
    assert told["fal"].startswith("within provider.preferred_max_latency: index 0.0912 (balanced), against gemini's ")
    assert "; fal goes before it by provider.preferred_max_latency; " in told["gemini"]


@pytest.mark.parametrize("short", [{"request_deadline_s": 20.0}, {"max_attempts": 1}])
def test_what_is_left_of_the_time_and_the_tries_is_the_reason_where_they_decide(short: dict[str, float]) -> None:
    healths = keyed(gemini=Health(estimate=estimate(40.0, success=0.3)), fal=Health(estimate=estimate(10.0)))
    route = made({"gemini": "0.02", "fal": "0.09"}, healths=healths, policy=replace(POLICY, **short))  # type: ignore[arg-type]
    assert order(route) == ["fal", "gemini"]
    told = reasons(route)
    assert told["fal"].startswith("best in the time and the tries that are left: index 0.1012 (balanced), against ")
    assert "; fal goes before it in the time and the tries that are left; " in told["gemini"]


def test_a_trial_that_the_deadline_would_cut_short_is_the_reason_for_the_next_best() -> None:
    healths = keyed(gemini=replace(HALF_OPEN, estimate=estimate(14.0, 0.95)), fal=Health(estimate=estimate(5.0)))
    route = made({"gemini": "0.001", "fal": "0.08"}, healths=healths, policy=replace(POLICY, request_deadline_s=31.0))
    assert order(route) == ["fal", "gemini"]
    assert reasons(route)["fal"].startswith("first, for there is no time for a trial of another: index 0.0858")


def test_the_next_that_is_named_is_the_second_and_not_the_second_best() -> None:
    market = {"gemini": "0.067", "vertex": "0.09", "fal": "0.08"}
    told = reasons(made(market, wishes=RouteWishes(order=("gemini", "vertex"))))["gemini"]
    assert told.startswith("best by index 0.0836 (balanced)")
    assert told.endswith("next is vertex at 0.1066")


figures = st.builds(
    estimate, st.floats(5.0, 60.0), st.floats(0.1, 0.999), sigma=st.floats(0.2, 0.8), failure_s=st.floats(1.0, 40.0)
)
sellers = st.tuples(st.integers(1, 200), st.builds(Health, estimate=figures, likely_due=st.booleans()))


@given(
    market=st.lists(sellers, min_size=2, max_size=5),
    wishes=st.builds(
        RouteWishes,
        order=st.sampled_from([(), ("p1",), ("p2", "p0")]),
        preferred_max_latency=st.sampled_from([(), ((0.5, 20.0),)]),
    ),
    deadline_s=st.sampled_from([20.0, 60.0, 300.0]),
    tries=st.integers(1, 6),
)
def test_whoever_is_called_the_best_has_the_lowest_index(
    market: list[tuple[int, Health]], wishes: RouteWishes, deadline_s: float, tries: int
) -> None:
    names = [f"p{place}" for place in range(len(market))]
    route = made(
        {name: f"{mils / 1000:.3f}" for name, (mils, _) in zip(names, market, strict=True)},
        healths=keyed(**{name: health for name, (_, health) in zip(names, market, strict=True)}),
        wishes=wishes,
        policy=replace(POLICY, request_deadline_s=deadline_s, max_attempts=tries),
    )
    lowest = min(each.index for each in route.candidates)
    firsts = route.candidates[1:] if route.candidates[0].reason.startswith("a probe") else route.candidates
    assert firsts[0].reason.startswith("best by index") <= (firsts[0].index == lowest)
    for each in route.candidates:
        assert "the only" not in each.reason
        if each is not firsts[0] and " above " in each.reason:
            assert any(other.index < each.index for other in route.candidates)


# The only one


def test_one_that_is_alone_because_the_others_rest_is_not_called_the_only_one_that_can() -> None:
    resting = made(TWO, healths=keyed(gemini=BLOCKED))
    assert reasons(resting) == {"fal": f"the only one that can be asked just now: {FIGURES['fal']}"}
    objecting = made(TWO, offers=[offer("gemini", min_prompt_chars=1000), offer("fal")])
    assert reasons(objecting) == {"fal": f"the only offer that can serve this request: {FIGURES['fal']}"}


# Figures


@pytest.mark.parametrize(
    ("success", "told"), [(0.916, "91.6%"), (0.9984, "99.8%"), (0.9996, "99.9%"), (1.0, "99.9%"), (0.0004, "0.0%")]
)
def test_no_success_is_told_as_certain(success: float, told: str) -> None:
    quote = made(TWO).candidates[0].quote
    assert figures_told(quote.told, REQUEST.resolution, 12.0, success).endswith(f", {told} deliver")


def test_a_callers_value_of_time_is_told_beside_the_policy_it_changes() -> None:
    wishes = RouteWishes(policy="cheapest", value_of_time_usd_per_s=1.0)
    assert "(cheapest, a second worth $1)" in made(TWO, wishes=wishes).candidates[0].reason
    assert "(cheapest)" in made(TWO, wishes=RouteWishes(policy="cheapest")).candidates[0].reason
    assert objective_told("balanced", 0.00001) == "balanced, a second worth $0.00001"


def test_an_explored_offer_is_told_with_the_index_it_has_and_not_with_the_one_hoped_for() -> None:
    slow = estimate(40.0, long_run_median_s=5.0)
    route = made(TWO, healths=keyed(gemini=Health(estimate=slow, likely_due=True), fal=Health(estimate=estimate(12.0))))
    explored, best = route.candidates
    assert (explored.offer.provider, explored.probe) == ("gemini", True)
    own = option(median_s=40.0)
    assert explored.index == pytest.approx(index_of(own, POLICY.objectives["balanced"]))
    assert explored.index > best.index
    assert best.reason.startswith(f"best by index {best.index:.4f} (balanced): ")
    assert best.reason.endswith(f"next is gemini at {explored.index:.4f}")


# Later tries


def test_a_fallback_says_after_what_it_comes() -> None:
    candidate = tried(made(TWO), failed("gemini", Fault.OVERLOADED))
    assert candidate.reason == f"after gemini was overloaded: index 0.0966; {FIGURES['fal']}"


def test_a_second_try_says_that_it_is_one_and_tells_the_figures_of_now() -> None:
    attempts = failed("gemini", Fault.OVERLOADED), failed("fal", Fault.BAD_REPLY)
    by_now = keyed(gemini=Health(estimate=estimate(20.0, 0.5)))
    candidate = tried(made(TWO), *attempts, healths=by_now)
    assert candidate.offer.provider == "gemini"
    assert candidate.reason == (
        f"again, after fal answered without a usable image: index {candidate.index:.4f}; "
        "$0.067 at 1K, 21.7 s, 50.0% deliver"
    )


def test_a_probes_sentence_goes_with_a_probe_and_with_no_other_try() -> None:
    explored = Health(estimate=estimate(40.0, long_run_median_s=5.0), likely_due=True)
    route = made(TWO, healths=keyed(gemini=explored, fal=Health(estimate=estimate(12.0))))
    again = tried(route, failed("gemini", Fault.OVERLOADED), failed("fal", Fault.OVERLOADED))
    assert (again.offer.provider, again.probe) == ("gemini", False)
    assert again.reason.startswith("again, after fal was overloaded: index ")
    on_trial = tried(made(TWO), failed("gemini", Fault.OVERLOADED), healths=keyed(fal=HALF_OPEN))
    assert on_trial.probe
    assert on_trial.reason == (f"after gemini was overloaded, a probe: it kept failing until lately; {FIGURES['fal']}")


def test_what_is_asked_first_after_a_wait_says_why_as_of_now() -> None:
    blocked_since = tried(made(TWO), healths=keyed(gemini=Health(blocked_until=NOW + 90)))
    assert blocked_since.reason == f"the only one that can be asked just now: {FIGURES['fal']}"
    healths = keyed(gemini=BLOCKED, fal=replace(BLOCKED, blocked_until=NOW + 90))
    back = tried(made(TWO, healths=healths), healths=healths)
    assert back.reason == f"it could not be asked when the plan was made, and can be by now; {FIGURES['gemini']}"
    served = keyed(gemini=Health(), fal=Health())
    assert tried(made(TWO), healths=served).reason == reasons(made(TWO))["gemini"]


def test_one_that_was_kept_back_and_has_been_tried_since_is_not_told_as_back() -> None:
    route = made({"gemini": "0.067"}, healths=keyed(gemini=BLOCKED))
    again = tried(route, failed("gemini", Fault.OVERLOADED, started_at=NOW + 20))
    assert again.reason == f"again, after gemini was overloaded: index 0.0836; {FIGURES['gemini']}"


@pytest.mark.parametrize(("state", "why"), [(OPEN, "kept failing and is left alone"), (OUT, "did not accept")])
def test_one_asked_although_it_is_out_of_service_is_told_as_the_last_resort(state: Health, why: str) -> None:
    healths = keyed(gemini=state)
    candidate = tried(made({"gemini": "0.067"}, healths=healths), healths=healths, now=NOW + 10)
    assert candidate.reason.startswith(f"the last resort, for nobody else can be asked: gemini {why}")
    assert not candidate.probe


def test_a_hedge_says_whom_it_runs_beside() -> None:
    healths = keyed(gemini=Health(estimate=estimate(10.0, sigma=0.2)), fal=Health(estimate=estimate(5.0)))
    wishes = RouteWishes(policy="fastest", hedge=True)
    route = made({"gemini": "0.01", "fal": "0.012"}, healths=healths, wishes=wishes)
    first = next(each for each in route.candidates if each.offer.provider == "gemini")
    running = (Running(first, NOW, 100.0),)
    step = next_step(route, (), now=NOW + 40, draw=0.5, healths=healths, running=running, may_hedge=True)
    assert isinstance(step, Hedge), step
    assert step.candidate.reason.startswith("beside gemini, which has not answered yet: index ")
