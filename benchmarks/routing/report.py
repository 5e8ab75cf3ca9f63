"""Report: the table, the figures and the pictures of a benchmark, written into a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isinf
from pathlib import Path
from typing import Any

from benchmarks.routing.charts import ratio_chart, traffic_chart
from benchmarks.routing.measure import Run
from benchmarks.routing.summary import ORACLE, Line, lines, overall
from benchmarks.routing.targets import table, targets
from benchmarks.routing.worlds import RANDOM, make_world

MEANS = "## Means"
WORLDS = "## Worlds"
"""Headings of what follows the targets."""
_HEAD = (
    "| world | router | J per request | J / oracle [95 %] | worst seed | success % | p50 s | p95 s | p99 s |"
    " $ per image | users hurt % | second try % | hedged % | leaves after s | returns after s |"
)


def write(runs: Sequence[Run], folder: Path, conditions: str) -> str:
    """Write everything there is to know of these runs into ``folder`` and return the table in Markdown.

    One objective: a file of each kind, named after it. ``conditions`` is the sentence that says what was run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = runs[0].objective
    summed = lines(runs)
    text = markdown(runs, summed, conditions)
    (folder / f"{name}.md").write_text(text)
    (folder / f"{name}.json").write_text(json.dumps(_as_json(runs, conditions), indent=1) + "\n")
    (folder / f"{name}-ratio.svg").write_text(ratio_chart(runs, summed))
    for world in dict.fromkeys(run.world for run in runs):
        first = [run for run in runs if run.world == world]
        shown = [run for run in first if run.seed == first[0].seed and run.router in (ORACLE, "ours")]
        (folder / f"{name}-{world}.svg").write_text(traffic_chart(make_world(world, first[0].seed), shown))
    return text


def markdown(runs: Sequence[Run], summed: Sequence[Line], conditions: str) -> str:
    """The targets, the means over all worlds, then every world with every router."""
    routers = list(dict.fromkeys(line.router for line in summed))
    parts = [f"# Routing benchmark: {runs[0].objective}", "", conditions, ""]
    parts += ["## Targets", "", table(targets(runs, summed)), "", MEANS, ""]
    parts += [
        "| router | named worlds, mean J / oracle [95 %] | random worlds, mean J / oracle [95 %] |",
        "|---|---|---|",
    ]
    for router in routers:
        named, random = overall(runs, router, random=False), overall(runs, router, random=True)
        parts.append(f"| {router} | {named.text() if named else '-'} | {random.text() if random else '-'} |")
    parts += ["", WORLDS, "", _HEAD, "|---" * (_HEAD.count("|") - 1) + "|"]
    parts += [_row(line) for line in summed]
    return "\n".join(parts) + "\n"


def _row(line: Line) -> str:
    cells = [
        line.world,
        line.router,
        f"{line.cost:.4f}",
        line.ratio.text() if line.seeds > 1 else f"{line.ratio.mean:.3f}",
        f"{line.worst:.3f}",
        f"{100 * line.success:.2f}",
        f"{line.p50_s:.1f}",
        f"{line.p95_s:.1f}",
        f"{line.p99_s:.1f}",
        f"{line.dollars:.4f}",
        f"{100 * line.hurt:.2f}",
        f"{100 * line.fallbacks:.1f}",
        f"{100 * line.hedges:.1f}",
        _seconds(line.leave_s),
        _seconds(line.return_s),
    ]
    return "| " + " | ".join(cells) + " |"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return "never" if isinf(value) else f"{value:.0f}"


def _as_json(runs: Sequence[Run], conditions: str) -> dict[str, Any]:
    routers = list(dict.fromkeys(run.router for run in runs))
    means: dict[str, Any] = {}
    for router in routers:
        means[router] = {}
        for kind, random in (("named", False), (RANDOM, True)):
            interval = overall(runs, router, random=random)
            if interval is not None:
                means[router][kind] = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    kept = [{key: value for key, value in run.as_json().items() if key != "traffic"} for run in runs]
    return {"conditions": conditions, "objective": runs[0].objective, "ratio_to_oracle": means, "runs": kept}
