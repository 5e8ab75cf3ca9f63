"""Targets of the routing benchmark: what is judged, what counts as missed, and what the command line makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.routing import __main__ as command
from benchmarks.routing.engine import Engine
from benchmarks.routing.measure import Run, measured
from benchmarks.routing.ours import Ours
from benchmarks.routing.report import markdown
from benchmarks.routing.router import GiveUp, Try, objective
from benchmarks.routing.summary import lines
from benchmarks.routing.targets import Target, kept, table, targets
from benchmarks.routing.truth import FailureMix
from benchmarks.routing.worlds import RANDOM, make_world
from routing.policy import Policy
from tests.unit.benchmarks.routing.small import Scripted, truth, world

BALANCED = objective("balanced")
REQUESTS = 1000


def run(router: str = "ours", where: str = "outage", *, aim: str = "balanced", seed: int = 101, **found: float) -> Run:
    empty = measured(make_world(where, seed), router, objective(aim), [], {})
    usual = {"requests": REQUESTS, "wanted": REQUESTS, "delivered": REQUESTS, "ratio": 1.0}
    return replace(empty, **{**usual, **found})  # type: ignore[arg-type]


def judged(*runs: Run) -> dict[str, Target]:
    return {target.name: target for target in targets(runs, lines(runs))}


def verdict(found: dict[str, Target], name: str) -> str:
    (target,) = (target for each, target in found.items() if each.startswith(name))
    return target.verdict


@pytest.mark.parametrize(
    ("aim", "router", "where", "most"),
    [
        ("balanced", "ours", "outage", 1.03),
        ("balanced", "ours", RANDOM, 1.07),
        ("fastest", "ours", "outage", 1.08),
        ("fastest", "ours", RANDOM, 1.21),
        ("fastest", "ours_hedged", RANDOM, 1.17),
    ],
)
def test_a_mean_ratio_is_met_up_to_its_bound(aim: str, router: str, where: str, most: float) -> None:
    name = f"{router}, mean J / oracle, {'random' if where == RANDOM else 'named'}"
    oracle = run("oracle", where, aim=aim)
    assert verdict(judged(oracle, run(router, where, aim=aim, ratio=most)), name) == "met"
    assert verdict(judged(oracle, run(router, where, aim=aim, ratio=most + 0.001)), name) == "not met"


def test_an_objective_without_promised_ratios_is_judged_by_the_rest() -> None:
    found = judged(run("oracle", aim="cheapest"), run(aim="cheapest", ratio=2.0))
    assert not [name for name in found if "mean J" in name]
    assert verdict(found, "success") == "met"


def test_success_is_asked_for_where_the_oracle_reaches_all_and_only_there() -> None:
    reached = [run("oracle"), run(failed=3)]
    assert verdict(judged(*reached), "success") == "not met"
    assert verdict(judged(run("oracle"), run(failed=2)), "success") == "met"
    assert verdict(judged(run("oracle", failed=1), run(failed=3)), "success") == "not run"


def test_every_random_seed_is_a_world_of_its_own_and_named_seeds_are_one_world() -> None:
    seeds = [(102, 0), (103, 4)]
    for where, expected in ((RANDOM, "not met"), ("outage", "met")):
        pairs = [(run("oracle", where, seed=seed), run("ours", where, seed=seed, failed=lost)) for seed, lost in seeds]
        found = judged(*(each for pair in pairs for each in pair))
        assert verdict(found, "success") == expected
    random = judged(run("oracle", RANDOM, seed=103), run("ours", RANDOM, seed=103, failed=4))
    assert random["success where the oracle reaches 100 %"].exceptions == ["random 103 99.60 %"]


def test_a_usual_router_that_is_level_in_a_named_world_is_an_exception_with_both_ratios() -> None:
    runs = [run("oracle"), run(ratio=1.02), run("cheapest", ratio=1.02), run("random", ratio=1.5)]
    target = judged(*runs)["ahead of every usual router in every named world"]
    assert (target.verdict, target.measured) == ("not met", "1 of 2 comparisons")
    assert target.exceptions == ["outage, cheapest: ours 1.0200, cheapest 1.0200"]
    assert "outage, cheapest: ours 1.0200" in table([target])


def test_random_worlds_are_compared_as_a_whole() -> None:
    runs = [
        run(router, RANDOM, seed=seed, ratio=ratio)
        for router, ratios in {"oracle": (1.0, 1.0), "ours": (1.3, 1.0), "cheapest": (1.2, 1.2)}.items()
        for seed, ratio in zip((101, 102), ratios, strict=True)
    ]
    assert verdict(judged(*runs), "ahead of every usual router over") == "met"
    assert verdict(judged(*runs, run("round_robin", RANDOM, ratio=1.1)), "ahead of every usual router over") == (
        "not met"
    )


def test_requests_ended_by_the_bound_on_payments_are_counted_apart_from_lost_ones() -> None:
    spike = "tenfold_spike"
    name = f"{spike} without loss"
    ended = judged(run("oracle", spike), run("ours", spike, failed=2, payment_bound=2))[name]
    lost = judged(run("oracle", spike), run("ours", spike, failed=3, payment_bound=2))[name]
    assert (ended.verdict, lost.verdict) == ("met", "not met")
    assert ended.measured == "0 lost of 1,000, 2 more ended by the bound on possible payments"
    assert lost.measured.startswith("1 lost")


def test_what_was_not_run_is_neither_met_nor_kept() -> None:
    found = judged(run("oracle"), run())
    assert verdict(found, "storm_429 without loss") == "not run"
    assert not kept(list(found.values()))


def test_the_product_s_reason_for_giving_up_reaches_the_count() -> None:
    """Everything hangs, so that each try may be billed: after two of them no third is made."""
    hangs = truth(0.0, failures=FailureMix(0.0, 0.0, 0.0, 1.0))
    where = world({"gemini": hangs, "fal": hangs, "replicate": hangs}, duration_s=30.0, deadline_s=3000.0)

    def counted(policy: Policy) -> Run:
        records = Engine(where, lambda made, _yard: Ours(made, BALANCED, policy=policy)).run()
        return measured(where, "ours", BALANCED, records, {})

    bounded = counted(replace(Policy(), max_possible_payments=2))
    assert bounded.payment_bound == bounded.failed == bounded.requests > 5
    generous = counted(replace(Policy(), max_possible_payments=100))
    assert generous.payment_bound == 0
    assert generous.failed == generous.requests


def test_a_reason_is_kept_only_when_the_request_is_given_up() -> None:
    where = world({"a": truth()}, duration_s=60.0)
    for script, because in (([GiveUp("payments")], "payments"), ([GiveUp()], ""), ([Try("a", 60.0)], "")):
        records = Engine(where, lambda _world, _yard, script=script: Scripted(script)).run()  # type: ignore[misc]
        assert {record.because for record in records} == {because}


def test_the_report_begins_with_the_targets() -> None:
    runs = [run("oracle"), run(ratio=1.5)]
    text = markdown(runs, lines(runs), "A test.")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# Routing benchmark: balanced", "## Targets", "## Means", "## Worlds"]
    assert "| at most 1.03 | 1.500 [1.500, 1.500] | not met |" in text


@pytest.mark.parametrize(("arguments", "status"), [([], 1), (["--quick"], 0), (["--worlds", "outage"], 0)])
def test_only_a_full_run_fails_for_a_missed_target(
    arguments: list[str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "run_all", lambda _tasks, _jobs: [[run("oracle"), run(ratio=1.5)]])
    assert command.main([*arguments, "--out", str(tmp_path)]) == status
    told = capsys.readouterr().out
    assert told.index("## Means") < told.index("# Targets: balanced")
    assert "not met" in told


def test_a_full_run_that_keeps_every_promise_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = [
        run(router, where, ratio=ratio)
        for where in ("outage", "tenfold_spike", "storm_429", RANDOM)
        for router, ratio in (("oracle", 1.0), ("ours", 1.01), ("cheapest", 1.1))
    ]
    monkeypatch.setattr(command, "run_all", lambda _tasks, _jobs: [every])
    assert command.main(["--out", str(tmp_path)]) == 0
