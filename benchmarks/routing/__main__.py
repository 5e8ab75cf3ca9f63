"""Command line of the routing benchmark: ``python -m benchmarks.routing --help``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.routing.measure import Run
from benchmarks.routing.report import MEANS, WORLDS, write
from benchmarks.routing.router import BALANCED, VALUE_OF_TIME_USD_PER_S
from benchmarks.routing.run import OURS_HEDGED, ROUTERS, Task, run_all
from benchmarks.routing.summary import ORACLE, lines
from benchmarks.routing.targets import Target, kept, table, targets
from benchmarks.routing.worlds import LUCK, RANDOM, REPORT_SEEDS, TUNING_SEEDS
from benchmarks.routing.worlds.named import NAMED

RESULTS = Path(__file__).resolve().parents[1] / "results"
NAMED_SEEDS = 3
"""Seeds of each named world in a full run, and lucks of each random one; of those every seed is another world."""
QUICK_SEEDS = 4
TOLD_EVERY = 20
"""Worlds between two lines of progress."""
QUICK_ROUTERS = ("oracle", "ours", "cheapest", "p50_cooldown")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for, write the results, print the tables and the targets.

    2: something asked for does not exist. 1: a target was missed in a full run; in a part of one they are only told.
    """
    asked = _parser().parse_args(arguments)
    seeds = _seeds(asked.seeds) if asked.seeds else list(TUNING_SEEDS if asked.quick else REPORT_SEEDS)
    named_seeds = asked.named_seeds or (1 if asked.quick else NAMED_SEEDS)
    random_seeds = seeds[:QUICK_SEEDS] if asked.quick and not asked.seeds else seeds
    worlds = asked.worlds.split(",") if asked.worlds else [*NAMED, RANDOM]
    objectives = asked.objective.split(",")
    unknown = [
        *(name for name in (asked.routers or ORACLE).split(",") if name not in ROUTERS),
        *(name for name in worlds if name not in NAMED and name != RANDOM),
        *(name for name in objectives if name not in VALUE_OF_TIME_USD_PER_S),
    ]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; routers: {', '.join(ROUTERS)}; worlds: {', '.join(NAMED)}, {RANDOM}")
        return 2
    judged: dict[str, list[Target]] = {}
    for objective in objectives:
        routers = asked.routers.split(",") if asked.routers else _usual_routers(objective, quick=asked.quick)
        tasks = [
            Task(world, seed, objective, tuple(routers))
            for world in worlds
            for seed in (_lucks(random_seeds, named_seeds) if world == RANDOM else seeds[:named_seeds])
        ]
        begun = time.monotonic()
        runs = _ordered(_collect(tasks, asked.jobs), worlds, routers)
        conditions = (
            f"Objective {objective}: a second is worth ${VALUE_OF_TIME_USD_PER_S[objective]}. "
            f"{len(runs)} runs over two hours each, {sum(run.requests for run in runs):,} requests in all. "
            f"Seeds of named worlds: {_listed(tasks, random=False)}; of random worlds: {_listed(tasks, random=True)}."
        )
        text = write(runs, asked.out, conditions)
        means = text[text.index(MEANS) :]
        print(f"# {objective}\n\n{conditions}\n")
        print(means if asked.verbose else means.split(WORLDS)[0].rstrip())
        print(f"\n{asked.out}, {time.monotonic() - begun:.0f} s\n", flush=True)
        judged[objective] = targets(runs, lines(runs))
    for objective, found in judged.items():
        print(f"# Targets: {objective}\n\n{table(found)}\n")
    full = not (asked.quick or asked.worlds or asked.routers or asked.seeds or asked.named_seeds)
    if not full:
        print("A part of the benchmark only: the targets are judged by what was run, and missing one is no error.")
    return 0 if not full or all(kept(found) for found in judged.values()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "benchmarks.routing", description="The router against an oracle and usual routers."
    )
    parser.add_argument("--quick", action="store_true", help="few seeds and routers: about a minute")
    parser.add_argument("--worlds", help=f"comma separated; also {RANDOM}")
    parser.add_argument("--routers", help="comma separated; the oracle always runs")
    parser.add_argument(
        "--objective", default=BALANCED, help=f"comma separated, of {', '.join(VALUE_OF_TIME_USD_PER_S)}"
    )
    parser.add_argument("--seeds", help="such as 1-12 or 101-124 or 3,5; default: 101-124, with --quick 1-12")
    parser.add_argument("--named-seeds", type=int, help="how many of the seeds each named world is run with")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--verbose", action="store_true", help="print the table of every world as well")
    return parser


def _usual_routers(objective: str, *, quick: bool) -> list[str]:
    """Hedging is looked at where it may pay: under ``fastest``."""
    if quick:
        return list(QUICK_ROUTERS)
    return [name for name in ROUTERS if name != OURS_HEDGED or objective == "fastest"]


def _lucks(seeds: Sequence[int], lucks: int) -> list[int]:
    """Every random world with as many lucks as the named worlds have seeds."""
    return [seed + LUCK * luck for luck in range(lucks) for seed in seeds]


def _seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def _listed(tasks: Sequence[Task], *, random: bool) -> str:
    seeds = sorted({task.seed % LUCK for task in tasks if (task.world == RANDOM) is random})
    if len(seeds) > 1 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds)) or "none"


def _collect(tasks: Sequence[Task], jobs: int) -> list[Run]:
    runs: list[Run] = []
    for number, done in enumerate(run_all(tasks, jobs), start=1):
        runs += done
        if number % TOLD_EVERY == 0 or number == len(tasks):
            print(f"{number} of {len(tasks)} worlds", file=sys.stderr, flush=True)
    return runs


def _ordered(runs: Sequence[Run], worlds: Sequence[str], routers: Sequence[str]) -> list[Run]:
    places = {name: place for place, name in enumerate(routers)}
    return sorted(runs, key=lambda run: (worlds.index(run.world), run.seed, places.get(run.router, -1)))


if __name__ == "__main__":
    sys.exit(main())
