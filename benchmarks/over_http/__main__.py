"""Command line: ``python -m benchmarks.over_http`` runs the scripts and prints a table. Takes five minutes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from benchmarks.over_http.run import TIME_SCALE, Outcome, run_script
from benchmarks.over_http.scripts import SCRIPTS

_HEAD = (
    "| script | requests | success % | users hurt | leaves after s | returns after s | p50 s | p95 s | normal p50 s |"
    " $ per image | $ spent / billed | tries | fallbacks | probes | cores busy | sent late by at most s |"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for and print the table in Markdown."""
    parser = argparse.ArgumentParser("benchmarks.over_http", description="Gateway and simulator in scripted trouble.")
    parser.add_argument("--scripts", default=",".join(each.name for each in SCRIPTS), help="comma separated")
    parser.add_argument("--time-scale", type=float, default=TIME_SCALE, help="vendor seconds per real second")
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals")
    asked = parser.parse_args(arguments)
    chosen = [each for each in SCRIPTS if each.name in asked.scripts.split(",")]
    print(f"{asked.time_scale:g} vendor seconds per second, {os.cpu_count()} cores. All seconds are vendor seconds.\n")
    print("\n".join([_HEAD, "|---" * (_HEAD.count("|") - 1) + "|"]), flush=True)
    errors: list[str] = []
    for script in chosen:
        outcome = run_script(script, time_scale=asked.time_scale, seed=asked.seed)
        print(_row(outcome), flush=True)
        errors += [f"{script.name}, failed: {error}" for error in outcome.figures.errors]
    print("\n" + "\n".join(f"{each.name}: {each.told}." for each in chosen))
    print("\n".join(errors))
    return 0


def _row(outcome: Outcome) -> str:
    figures = outcome.figures
    cells = [
        outcome.script.name,
        str(figures.requests),
        f"{100 * figures.success:.2f}",
        f"{figures.hurt} ({100 * figures.hurt / figures.requests:.1f} %)",
        _seconds(figures.leave_s) if outcome.script.orders else "-",
        _seconds(figures.return_s) if outcome.script.orders else "-",
        f"{figures.p50_s:.1f}",
        f"{figures.p95_s:.1f}",
        f"{figures.normal_p50_s:.1f}",
        f"{figures.usd_per_image:.4f}",
        f"{outcome.spent_usd:.2f} / {outcome.billed_usd:.2f}",
        str(figures.tries),
        f"{outcome.fallbacks:g}",
        f"{outcome.probes:g}",
        f"{outcome.cores:.2f}",
        f"{figures.latest_s:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f}"


if __name__ == "__main__":
    sys.exit(main())
