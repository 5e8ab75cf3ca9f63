"""Routers against each other in small worlds, and the measures taken of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf

import pytest

from benchmarks.routing.baselines import BASELINES
from benchmarks.routing.engine import Engine, Record
from benchmarks.routing.intervals import bootstrap
from benchmarks.routing.measure import measured
from benchmarks.routing.oracle import Oracle
from benchmarks.routing.ours import EPOCH, Ours
from benchmarks.routing.report import markdown, write
from benchmarks.routing.router import Ended, Try, Wait, objective
from benchmarks.routing.run import ROUTERS
from benchmarks.routing.summary import lines
from benchmarks.routing.truth import Timeline
from benchmarks.routing.world import Request, Sickness, World
from benchmarks.routing.worlds import make_world
from benchmarks.routing.worlds.changes import BASE, capacity, outage, timelines
from providers.spec.errors import Fault, Spend
from tests.unit.benchmarks.routing.small import R1K, truth, world

BALANCED = objective("balanced")


def runs(where: World, router: str) -> list[Record]:
    return Engine(where, lambda world, yard: ROUTERS[router](world, yard, BALANCED)).run()


def short() -> World:
    """Twenty minutes of the usual providers, the best of them down for the second five."""
    sick = outage("gemini", 300.0, 600.0)
    steady = world({}, duration_s=1200.0)
    return replace(steady, providers=timelines(BASE, [sick]), sicknesses=[Sickness("gemini", 300.0, 600.0)])


def test_no_usual_router_beats_the_oracle() -> None:
    where = replace(make_world("outage", 2), duration_s=4000.0)
    oracle = measured(where, "oracle", BALANCED, runs(where, "oracle"), {})
    for name in BASELINES:
        assert measured(where, name, BALANCED, runs(where, name), {}).cost > oracle.cost, name


def test_the_oracle_never_runs_into_a_full_provider() -> None:
    where = replace(short(), providers=timelines(BASE, [capacity(name, 0.0, 1e9, 4) for name in BASE]))
    seen: list[bool] = []

    class Watched(Oracle):
        def arrive(self, request, now, wake):  # type: ignore[no-untyped-def]
            session = super().arrive(request, now, wake)
            ask = session.next

            def watched(now: float):  # type: ignore[no-untyped-def]
                step = ask(now)
                provider = getattr(step, "provider", None)
                if provider is not None:
                    seen.append(self.has_slot(provider, now))
                return step

            session.next = watched  # type: ignore[method-assign]
            return session

    records = Engine(where, lambda world, yard: Watched(world, yard, BALANCED)).run()
    assert len(seen) > 500
    assert all(seen)
    assert sum(record.failed for record in records) == 0


@pytest.mark.parametrize("name", list(BASELINES))
def test_a_usual_router_falls_back_until_somebody_delivers(name: str) -> None:
    records = runs(short(), name)
    assert sum(record.failed for record in records) == 0
    assert max(len(record.tries) for record in records) > 1


def test_a_usual_router_waits_as_long_as_the_only_provider_asked() -> None:
    where = world({"a": truth(capacity=1, median_s=5.0, sigma=0.01, retry_after_s=4.0)}, rate=0.1, duration_s=300.0)
    records = runs(where, "cheapest")
    assert sum(record.failed for record in records) == 0
    gaps = [later - earlier for record in records for (earlier, _), (later, _) in pairwise(record.tries)]
    assert gaps
    assert min(gaps) >= 4.0


def test_the_product_is_asked_by_its_own_words_and_follows_a_price() -> None:
    dear = {name: replace(each, prices={R1K: 0.05 if name == "fal" else 0.5}) for name, each in BASE.items()}
    cheap = {name: replace(each, prices={R1K: 0.05 if name == "replicate" else 0.5}) for name, each in BASE.items()}
    where = replace(
        world({}, duration_s=1200.0),
        providers={name: Timeline([(0.0, dear[name]), (600.0, cheap[name])]) for name in BASE},
    )
    records = Engine(where, lambda world, _yard: Ours(world, BALANCED)).run()
    firsts = [(record.request.arrived < 600.0, record.tries[0][1]) for record in records]
    early = [provider for before, provider in firsts if before]
    late = [provider for before, provider in firsts if not before]
    assert early.count("fal") / len(early) > 0.9
    assert late.count("replicate") / len(late) > 0.8


def test_the_product_leaves_a_sick_provider_and_returns() -> None:
    where = short()
    run = measured(where, "ours", BALANCED, runs(where, "ours"), {})
    assert run.failed == 0
    assert run.leave_s[0] is not None
    assert run.leave_s[0] < 60.0


@pytest.mark.parametrize(
    ("every", "left_at", "back_at", "leaves_s", "returns_s"),
    [(1, 130, 250, 29, 40), (1, 100, 200, 0, 0), (2, 130, 250, 28, 39), (1, 900, 950, None, None)],
)
def test_leaving_and_returning_are_measured_from_where_requests_begin(
    every: int, left_at: int, back_at: int, leaves_s: float | None, returns_s: float | None
) -> None:
    """Requests come every second; every first, or every second one, is for the sick provider while it is liked."""
    where = replace(
        short(),
        sicknesses=[Sickness("a", 100.0, 200.0)],
        providers={name: Timeline([(0.0, truth())]) for name in ("a", "b")},
    )
    records = []
    for second in range(1200):
        liked = not left_at <= second < back_at
        begun = (float(second), "a" if liked and second % every == 0 else "b")
        request = Request(second, float(second), R1K, 300.0)
        records.append(Record(request, second + 10.0, None, 0.05, [begun]))
    run = measured(where, "x", BALANCED, records, {})
    assert run.leave_s[0] == (leaves_s and pytest.approx(leaves_s, abs=2.0))
    assert run.return_s.get(0) == (returns_s and pytest.approx(returns_s, abs=10.0 if returns_s == 0 else 2.0))


def test_the_product_hears_how_a_try_ended_in_its_own_words() -> None:
    where = world({"gemini": truth()})
    session = Ours(where, BALANCED).arrive(where.requests()[0], 5.0, lambda: None)
    assert isinstance(session.next(5.0), Try)
    session.ended(Ended("gemini", 5.0, 5.3, Fault.RATE_LIMITED, retry_after_s=7.0))
    (attempt,) = session._passage.attempts
    assert (attempt.fault, attempt.spend, attempt.retry_after) == (Fault.RATE_LIMITED, Spend.NONE, 7.0)
    assert (attempt.started_at - EPOCH, attempt.seconds) == pytest.approx((5.0, 0.3))
    waiting = session.next(5.3)
    assert isinstance(waiting, Wait)
    assert waiting.until == pytest.approx(12.3, abs=0.1)


def test_the_cost_of_a_request_is_money_time_and_the_penalty_of_failing() -> None:
    where = world({"a": truth()})
    request = where.requests()[0]
    delivered = Record(request, request.arrived + 10.0, None, 0.07, [(request.arrived, "a")])
    refused = Record(request, request.arrived + 3.0, Fault.CONTENT_REFUSED, 0.0, [(request.arrived, "a")])
    failed = Record(request, request.arrived + 20.0, Fault.TIMED_OUT, 0.0, [(request.arrived, "a")])
    costs = [measured(where, "x", BALANCED, [each], {}).cost for each in (delivered, refused, failed)]
    assert costs == pytest.approx([0.08, 0.003, 0.02 + 0.2 + 0.12])
    run = measured(where, "x", BALANCED, [delivered, refused, failed], {R1K: 3.0})
    assert (run.wanted, run.failed, run.hurt) == (2, 1, 2)


def test_a_sickness_counts_where_the_oracle_left_it_and_never_leaving_is_the_longest_time() -> None:
    where = short()
    oracle = replace(measured(where, "oracle", BALANCED, [], {}), requests=1, leave_s={0: 1.0, 1: 2.0, 2: None})
    router = replace(oracle, router="x", leave_s={0: 30.0, 1: None, 2: 5.0, 3: 6.0})
    seen = {line.router: line.leave_s for line in lines([oracle, router, replace(router, leave_s={1: None})])}
    assert seen["oracle"] == 1.0
    assert seen["x"] == inf


def test_the_interval_of_a_mean_covers_it_and_narrows_with_more_seeds() -> None:
    few, many = bootstrap([[1.0, 1.1, 1.2]]), bootstrap([[1.0, 1.1, 1.2] * 30])
    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 3
    with pytest.raises(ValueError, match="nothing"):
        bootstrap([])


def test_the_report_has_a_line_for_every_router_and_writes_its_files(tmp_path) -> None:  # type: ignore[no-untyped-def]
    where = replace(make_world("outage", 1), duration_s=900.0)
    oracle = measured(where, "oracle", BALANCED, runs(where, "oracle"), {})
    other = measured(where, "cheapest", BALANCED, runs(where, "cheapest"), {}, oracle.cost)
    text = write([oracle, other], tmp_path, "A test.")
    assert text == markdown([oracle, other], lines([oracle, other]), "A test.")
    assert f"| outage | cheapest | {other.cost / other.requests:.4f} | {other.ratio:.3f} |" in text
    assert {path.suffix for path in tmp_path.iterdir()} == {".md", ".json", ".svg"}
