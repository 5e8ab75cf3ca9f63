"""Ablation: what each mechanism of the router is worth, by running the product without it.

``python -m benchmarks.routing.ablation``. A mechanism stays where leaving it out raises mean J by 0.2 %, or doubles the
failures or the users hurt in one world. Tuning seeds only: what is decided here must not look at the report's worlds.
``--worlds`` and ``--without`` run a part of it; a part is printed and not written, unless ``--out`` says where. Hedging
is not among the variants: it is off unless asked for, and the benchmark's ``ours_hedged`` beside ``ours`` measures it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Final

from benchmarks.routing.engine import Engine, Yard
from benchmarks.routing.measure import Run, measured, normal_seconds
from benchmarks.routing.oracle import Oracle
from benchmarks.routing.ours import Ours
from benchmarks.routing.router import Objective, objective
from benchmarks.routing.world import World
from benchmarks.routing.worlds import RANDOM, make_world
from benchmarks.routing.worlds.named import NAMED
from routing.policy import Policy

RESULTS: Final = Path(__file__).resolve().parents[1] / "results"
WHOLE: Final = "whole"
NEVER: Final = 10**9
"""More than any count, level or time a run comes to."""
BEYOND_WAITING: Final = 1.01
"""Tests of the limit are left out by having them due this many times later than anybody waits. Not ``NEVER``: who waits
looks for room at a share of the same time, and who would never look again gives up at once. Looks are still rarer than
in the product, so that this variant shows rather too much than too little."""
LEAST_HARMED: Final = 10
"""Below so many users a doubling is luck."""
GAIN: Final = 0.002


def _without(change: Callable[[Policy], Policy]) -> Policy:
    return change(Policy())


VARIANTS: Final[Mapping[str, Policy]] = MappingProxyType(
    {
        WHOLE: Policy(),
        "breaker": _without(lambda one: replace(one, breaker=replace(one.breaker, trip=float(NEVER)))),
        "learned limits and line": _without(lambda one: replace(one, limits=replace(one.limits, refusals=NEVER))),
        "panic rule": _without(lambda one: replace(one, breaker=replace(one.breaker, panic_wait_s=float(NEVER)))),
        "tests of the limit": _without(
            lambda one: replace(one, limits=replace(one.limits, test_wait_s=BEYOND_WAITING * one.limits.max_wait_s))
        ),
        "exploration": _without(lambda one: replace(one, exploration=replace(one.exploration, share=0.0))),
        "hopeful exploration": _without(lambda one: replace(one, exploration=replace(one.exploration, hope=1.0))),
        "change detection": _without(
            lambda one: replace(one, statistics=replace(one.statistics, change_threshold=float(NEVER)))
        ),
        "running tries in the latency": _without(
            lambda one: replace(one, statistics=replace(one.statistics, censor_min_running=NEVER))
        ),
        "families": _without(lambda one: replace(one, families=MappingProxyType({}))),
        "per-try limits": _without(lambda one: replace(one, sigmas=20.0)),
        "second tries at an offer": _without(lambda one: replace(one, max_tries_per_offer=1)),
        "short first blocks": _without(lambda one: replace(one, first_block_s=one.default_block_s)),
    }
)
"""The product, and the product without one mechanism each."""


@dataclass(frozen=True, slots=True)
class Task:
    """One world and objective with the product and the variants asked for."""

    world: str
    seed: int
    objective: str
    without: tuple[str, ...]
    """Names of variants."""


def _make(policy: Policy, aim: Objective, world: World, _yard: Yard) -> Ours:
    return Ours(world, aim, policy=policy)


def _oracle(aim: Objective, world: World, yard: Yard) -> Oracle:
    return Oracle(world, yard, aim)


def carry_out(task: Task) -> dict[str, Run]:
    """The product and the variants in this world."""
    aim = objective(task.objective)
    world = make_world(task.world, task.seed)
    truth = Engine(world, partial(_oracle, aim)).run()
    normal = normal_seconds(truth)
    oracle = measured(world, "oracle", aim, truth, normal)
    return {
        name: measured(world, name, aim, Engine(world, partial(_make, VARIANTS[name], aim)).run(), normal, oracle.cost)
        for name in (WHOLE, *task.without)
    }


def table(runs: Sequence[Mapping[str, Run]], aim: str) -> str:
    """What leaving each mechanism out does to mean J, and to failures and users hurt where it does most."""
    lines = [f"## {aim}", "", f"{len(runs)} worlds.", ""]
    lines += ["| without | mean J | most failures | most users hurt | stays |", "|---|---|---|---|---|"]
    whole = [each[WHOLE] for each in runs]
    base = sum(run.ratio for run in whole) / len(whole)
    worlds = list(dict.fromkeys(run.world for run in whole))
    for name in runs[0]:
        if name == WHOLE:
            lines.append(f"| nothing | {base:.4f} of the oracle's | | | |")
            continue
        without = [each[name] for each in runs]
        change = sum(run.ratio for run in without) / len(without) / base - 1
        failed, failed_in = _worst(whole, without, worlds, lambda run: run.failed)
        hurt, hurt_in = _worst(whole, without, worlds, lambda run: run.hurt)
        stays = change >= GAIN or failed >= 2 or hurt >= 2
        lines.append(
            f"| {name} | {change:+.2%} | x {failed:.1f} ({failed_in}) | x {hurt:.1f} ({hurt_in}) |"
            f" {'yes' if stays else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def _worst(
    whole: Sequence[Run], without: Sequence[Run], worlds: Sequence[str], count: Callable[[Run], int]
) -> tuple[float, str]:
    """The largest factor by which the count grows in one world, and that world."""
    found = (1.0, "-")
    for world in worlds:
        before = sum(count(run) for run in whole if run.world == world)
        after = sum(count(run) for run in without if run.world == world)
        if after >= LEAST_HARMED and after / max(before, 1) > found[0]:
            found = (after / max(before, 1), world)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; write ``ablation.md`` when everything was run or a folder was named."""
    parser = argparse.ArgumentParser("benchmarks.routing.ablation", description=__doc__)
    parser.add_argument("--objective", default="balanced,fastest", help="comma separated")
    parser.add_argument("--worlds", help=f"comma separated, also {RANDOM}; default: all")
    parser.add_argument("--without", help="comma separated names of what is left out; default: all, one at a time")
    parser.add_argument("--seeds", type=int, default=2, help="seeds of every named world; random worlds: three times")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help=f"folder for ablation.md; default, when everything is run: {RESULTS}")
    asked = parser.parse_args(arguments)
    worlds = asked.worlds.split(",") if asked.worlds else [*NAMED, RANDOM]
    left_out = tuple(name for name in VARIANTS if name != WHOLE)
    without = tuple(asked.without.split(",")) if asked.without else left_out
    unknown = [
        *(name for name in worlds if name not in NAMED and name != RANDOM),
        *(name for name in without if name not in left_out),
    ]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; worlds: {', '.join(NAMED)}, {RANDOM}; {', '.join(left_out)}")
    parts = ["# What each mechanism is worth", "", "Leaving one out at a time; tuning seeds.", ""]
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        for aim in asked.objective.split(","):
            tasks = [
                Task(name, seed, aim, without)
                for name in worlds
                for seed in range(1, (3 if name == RANDOM else 1) * asked.seeds + 1)
            ]
            parts.append(table(list(pool.map(carry_out, tasks)), aim))
    text = "\n".join(parts)
    out = asked.out or (None if asked.worlds or asked.without else RESULTS)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "ablation.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
