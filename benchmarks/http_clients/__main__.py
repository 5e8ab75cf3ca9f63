"""Command line: ``python -m benchmarks.http_clients`` measures the candidates and writes the results."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.settings import PROJECT_ROOT
from benchmarks.http_clients.report import Told, as_json, as_markdown
from benchmarks.http_clients.run import run
from benchmarks.http_clients.scenarios import CANDIDATES, SCENARIOS
from benchmarks.image_path.compiled import CannotRunError
from benchmarks.image_path.report import machine

RESULTS: Final = PROJECT_ROOT / "benchmarks" / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when something was measured, 2 when nothing could be."""
    scenarios, candidates = [each.name for each in SCENARIOS], [each.name for each in CANDIDATES]
    parser = argparse.ArgumentParser("benchmarks.http_clients", description="HTTP clients in our path.")
    parser.add_argument("--only", default=";".join(scenarios), help="scenarios, separated by semicolons")
    parser.add_argument("--clients", default=";".join(candidates), help="separated by semicolons")
    parser.add_argument("--rounds", type=int, default=3, help="of each scenario")
    parser.add_argument("--output", type=Path, default=RESULTS / "http_clients", help="without its ending")
    asked = parser.parse_args(arguments)
    chosen, names = asked.only.split(";"), asked.clients.split(";")
    if unknown := sorted({*chosen} - {*scenarios}) + sorted({*names} - {*candidates}):
        parser.error(f"unknown: {', '.join(unknown)}")
    before = os.getloadavg()[0]
    try:
        results = run([each for each in SCENARIOS if each.name in chosen], names, rounds=asked.rounds, say=_say)
    except CannotRunError as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    told = Told(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        load=f"Load average {before:.1f} at the start and {os.getloadavg()[2]:.1f} over the last 15 minutes.",
        versions=results.versions,
        rounds=results.rounds,
        scenarios={each.name: each.told for each in SCENARIOS},
        behaviour=results.behaviour,
        left_out=results.left_out,
    )
    asked.output.with_suffix(".json").write_text(json.dumps(as_json(told), indent=1) + "\n")
    asked.output.with_suffix(".md").write_text(as_markdown(told))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
