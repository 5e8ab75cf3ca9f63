"""Targets: what the router promises against the oracle and the usual routers, and whether a run kept it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from benchmarks.routing.baselines import BASELINES
from benchmarks.routing.measure import Run
from benchmarks.routing.router import BALANCED
from benchmarks.routing.run import OURS, OURS_HEDGED
from benchmarks.routing.summary import ORACLE, Line, overall
from benchmarks.routing.worlds import LUCK, RANDOM

RATIOS: Final[Mapping[str, Sequence[tuple[str, bool, float]]]] = MappingProxyType(
    {
        BALANCED: ((OURS, False, 1.03), (OURS, True, 1.07)),
        "fastest": ((OURS, False, 1.08), (OURS, True, 1.21), (OURS_HEDGED, True, 1.17)),
    }
)
"""By objective: (router, whether over random worlds, the largest mean of J over the oracle's), as was promised when the
router was begun. Other objectives have no such number."""
LEAST_SUCCESS: Final = 0.998
"""Share of the requests that were not refused, wherever the oracle reaches all."""
ALL: Final = 0.99995
"""The oracle's success from which on it counts as all: rounded to a hundredth of a per cent it is 100 %."""
WITHOUT_LOSS: Final = ("tenfold_spike", "storm_429")
"""Worlds in which providers are merely full, so that no request need be lost."""
_PLACES = {False: "named worlds", True: "random worlds"}


@dataclass(frozen=True, slots=True)
class Target:
    """One promise, and what became of it in a run."""

    name: str
    asked: str
    measured: str
    met: bool | None
    """None: nothing was run that it could be judged by."""
    exceptions: Sequence[str] = ()
    """Where it was missed, when it is about many worlds."""

    @property
    def verdict(self) -> str:
        """As printed."""
        return "not run" if self.met is None else "met" if self.met else "not met"


def targets(runs: Sequence[Run], summed: Sequence[Line]) -> list[Target]:
    """Every promise about the objective of these runs. ``summed`` are the same runs as lines."""
    found = [_ratio(runs, *asked) for asked in RATIOS.get(runs[0].objective, ())]
    found += [_success(runs, summed), _named_worlds(summed), _random_worlds(runs)]
    found += [_without_loss(runs, world) for world in WITHOUT_LOSS]
    return found


def kept(judged: Sequence[Target]) -> bool:
    """Whether every promise was judged and met."""
    return all(target.met for target in judged)


def table(judged: Sequence[Target]) -> str:
    """The promises in Markdown, with the exceptions below."""
    rows = ["| target | asked | measured | |", "|---|---|---|---|"]
    rows += [f"| {each.name} | {each.asked} | {each.measured} | {each.verdict} |" for each in judged]
    missed = [f"- {each.name}: {exception}" for each in judged for exception in each.exceptions]
    return "\n".join([*rows, *(["", "Exceptions:", "", *missed] if missed else [])])


def _ratio(runs: Sequence[Run], router: str, random: bool, most: float) -> Target:
    mean = overall(runs, router, random=random)
    return Target(
        f"{router}, mean J / oracle, {_PLACES[random]}",
        f"at most {most:.2f}",
        mean.text() if mean else "-",
        mean.mean <= most if mean else None,
    )


def _success(runs: Sequence[Run], summed: Sequence[Line]) -> Target:
    """Named worlds with all their seeds together; every random world with all its lucks."""
    shares = {(line.world, line.router): line.success for line in summed if line.world != RANDOM}
    random: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.world == RANDOM:
            random.setdefault((f"{RANDOM} {run.seed % LUCK}", run.router), []).append(run)
    for place, lucks in random.items():
        shares[place] = 1.0 - sum(run.failed for run in lucks) / max(1, sum(run.wanted for run in lucks))
    judged = {
        world: share
        for (world, router), share in shares.items()
        if router == OURS and shares.get((world, ORACLE), 0.0) >= ALL
    }
    missed = [f"{world} {100 * share:.2f} %" for world, share in judged.items() if share < LEAST_SUCCESS]
    worst = min(judged, key=lambda world: judged[world], default="")
    return Target(
        "success where the oracle reaches 100 %",
        f"at least {100 * LEAST_SUCCESS:.1f} %",
        f"{len(judged)} worlds, least {100 * judged[worst]:.2f} % ({worst})" if judged else "-",
        not missed if judged else None,
        missed,
    )


def _named_worlds(summed: Sequence[Line]) -> Target:
    ratios = {(line.world, line.router): line.ratio.mean for line in summed if line.world != RANDOM}
    return _ahead(
        "ahead of every usual router in every named world",
        [
            (world, name, ratios[world, OURS], ratio)
            for (world, name), ratio in ratios.items()
            if name in BASELINES and (world, OURS) in ratios
        ],
        lambda world, name: f"{world}, {name}",
    )


def _random_worlds(runs: Sequence[Run]) -> Target:
    ours = overall(runs, OURS, random=True)
    others = {name: overall(runs, name, random=True) for name in BASELINES}
    return _ahead(
        "ahead of every usual router over the random worlds",
        [(RANDOM, name, ours.mean, other.mean) for name, other in others.items() if ours and other],
        lambda _, name: name,
    )


def _ahead(name: str, compared: Sequence[tuple[str, str, float, float]], where: Callable[[str, str], str]) -> Target:
    """``compared`` are (world, usual router, our ratio, its ratio)."""
    missed = [
        f"{where(world, router)}: ours {mine:.4f}, {router} {its:.4f}"
        for world, router, mine, its in compared
        if mine >= its
    ]
    measured = f"{len(compared) - len(missed)} of {len(compared)} comparisons" if compared else "-"
    return Target(name, "all", measured, not missed if compared else None, missed)


def _without_loss(runs: Sequence[Run], world: str) -> Target:
    """A request for which as many tries may be billed as the operator allows is ended on purpose, and counted apart."""
    mine = [run for run in runs if run.router == OURS and run.world == world]
    bound = sum(run.payment_bound for run in mine)
    lost = sum(run.failed for run in mine) - bound
    wanted = sum(run.wanted for run in mine)
    return Target(
        f"{world} without loss",
        "0 lost",
        f"{lost} lost of {wanted:,}, {bound} more ended by the bound on possible payments" if mine else "-",
        lost == 0 if mine else None,
    )
