"""Run: all routers asked for, in the worlds asked for, over the processors there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from types import MappingProxyType
from typing import Final

from benchmarks.routing.baselines import BASELINES, Baseline
from benchmarks.routing.engine import Engine, Yard
from benchmarks.routing.measure import Run, measured, normal_seconds
from benchmarks.routing.oracle import Oracle
from benchmarks.routing.ours import Ours
from benchmarks.routing.router import Objective, Router, objective
from benchmarks.routing.summary import ORACLE
from benchmarks.routing.world import World
from benchmarks.routing.worlds import make_world

OURS: Final = "ours"
OURS_HEDGED: Final = "ours_hedged"
_Make = Callable[[World, Yard, Objective], Router]


def _oracle(world: World, yard: Yard, aim: Objective) -> Router:
    return Oracle(world, yard, aim)


def _baseline(make: Callable[[World], Baseline], world: World, _yard: Yard, _aim: Objective) -> Router:
    return make(world)


def _ours(hedge: bool, world: World, _yard: Yard, aim: Objective) -> Router:
    return Ours(world, aim, hedge=hedge)


ROUTERS: Final[Mapping[str, _Make]] = MappingProxyType(
    {
        ORACLE: _oracle,
        OURS: partial(_ours, False),
        OURS_HEDGED: partial(_ours, True),
        **{name: partial(_baseline, make) for name, make in BASELINES.items()},
    }
)
"""Every contestant by name; the oracle first."""


def _made(name: str, aim: Objective, world: World, yard: Yard) -> Router:
    return ROUTERS[name](world, yard, aim)


@dataclass(frozen=True, slots=True)
class Task:
    """One world, one objective, all routers: what one process does at a time."""

    world: str
    seed: int
    objective: str
    routers: Sequence[str]


def carry_out(task: Task) -> list[Run]:
    """Run the oracle, whom the others are measured against, and then the others."""
    aim = objective(task.objective)
    world = make_world(task.world, task.seed)

    truth = Engine(world, partial(_made, ORACLE, aim)).run()
    normal = normal_seconds(truth)
    oracle = measured(world, ORACLE, aim, truth, normal)
    runs = [oracle]
    for name in task.routers:
        if name != ORACLE:
            records = Engine(world, partial(_made, name, aim)).run()
            runs.append(measured(world, name, aim, records, normal, oracle.cost))
    return runs


def run_all(tasks: Sequence[Task], jobs: int) -> Iterator[list[Run]]:
    """The runs of every task, as tasks are done."""
    if jobs <= 1:
        yield from map(carry_out, tasks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(carry_out, task) for task in tasks]):
            yield future.result()
