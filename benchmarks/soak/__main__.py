"""Command line: ``python -m benchmarks.soak`` soaks for an hour, writes the results and fails when something leaked."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.settings import PROJECT_ROOT
from benchmarks.image_path.report import machine
from benchmarks.rig.commit import commit
from benchmarks.soak.judge import verdicts
from benchmarks.soak.report import Told, as_json, as_markdown
from benchmarks.soak.run import run

RESULTS: Final = PROJECT_ROOT / "benchmarks" / "results"
LOWEST: Final = 19
"""Priority, as ``nice`` counts: others on the machine go first."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything held."""
    parser = argparse.ArgumentParser("benchmarks.soak", description="A mixed load for an hour: what it leaves behind.")
    seconds, rate = os.environ.get("SOAK_SECONDS", "3600"), os.environ.get("SOAK_RATE", "1")
    parser.add_argument("--seconds", type=float, default=float(seconds), help="or SOAK_SECONDS")
    parser.add_argument("--rate", type=float, default=float(rate), help="requests a second, or SOAK_RATE")
    parser.add_argument("--window", type=float, default=30.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS / "soak", help="without its ending")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else what was started would go on
    os.nice(LOWEST)
    result = asyncio.run(run(asked.seconds, asked.rate, asked.window, seed=asked.seed))
    date = datetime.now(UTC).date().isoformat()
    told = Told(date, machine(), commit(), result, verdicts(result.soaked))
    asked.output.with_suffix(".json").write_text(json.dumps(as_json(told), indent=1) + "\n")
    asked.output.with_suffix(".md").write_text(as_markdown(told))
    missed = [each for each in told.verdicts if not each.holds]
    for each in missed:
        print(f"missed: {each.told}: {each.found:.4g} where {each.most:g} is the most")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
