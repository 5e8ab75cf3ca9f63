"""Command line: ``python -m benchmarks.image_path`` measures, writes the results and fails when a bar is missed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.settings import PROJECT_ROOT
from benchmarks.image_path.bars import verdicts
from benchmarks.image_path.compiled import CannotRunError
from benchmarks.image_path.report import Told, as_json, as_markdown, machine
from benchmarks.image_path.run import run
from benchmarks.image_path.scenarios import SCENARIOS

PEERS: Final = ("ours", "litellm", "portkey", "nginx")
RESULTS: Final = PROJECT_ROOT / "benchmarks" / "results"
CANNOT_RUN: Final = 2
"""Exit code when this machine lacks what it takes; 1 is a missed bar."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when no bar was missed, 1 when one was, 2 when nothing could be measured."""
    names = [each.name for each in SCENARIOS]
    parser = argparse.ArgumentParser("benchmarks.image_path", description="The image path beside other gateways.")
    parser.add_argument("--only", default=",".join(names), help="scenarios, comma separated")
    parser.add_argument("--rounds", type=int, default=None, help="of each scenario; 3, or 1 with --quick")
    parser.add_argument("--peers", default=",".join(PEERS), help="comma separated")
    parser.add_argument("--quick", action="store_true", help="one round with less load: figures for a first look")
    parser.add_argument("--output", type=Path, default=RESULTS / "image_path", help="without its ending")
    asked = parser.parse_args(arguments)
    chosen, peers = asked.only.split(","), asked.peers.split(",")
    if unknown := sorted({*chosen} - {*names}) + sorted({*peers} - {*PEERS}):
        parser.error(f"unknown: {', '.join(unknown)}")
    scenarios = [each for each in SCENARIOS if each.name in chosen]
    rounds = asked.rounds or (1 if asked.quick else 3)
    try:
        results = run(scenarios, peers, rounds=rounds, quick=asked.quick, say=_say)
    except CannotRunError as reason:
        print(reason, file=sys.stderr)
        return CANNOT_RUN
    told = Told(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        versions=results.versions,
        quick=asked.quick,
        lengths=results.lengths,
        rounds=results.rounds,
        scenarios={each.name: each.told for each in SCENARIOS},
        left_out=results.left_out,
        verdicts=verdicts(results.rounds),
    )
    asked.output.with_suffix(".json").write_text(json.dumps(as_json(told), indent=1) + "\n")
    asked.output.with_suffix(".md").write_text(as_markdown(told))
    missed = [each for each in told.verdicts if each.holds is False]
    for each in missed:
        print(f"missed: {each.told}: {each.value:.3g} where {each.bar:.3g} {each.unit} is the most")
    return 1 if missed else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
