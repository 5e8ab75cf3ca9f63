"""Command line: ``python -m benchmarks.chaos`` carries out every case and fails when one is not as it must be."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.settings import PROJECT_ROOT
from benchmarks.chaos.catalogue import CASES
from benchmarks.chaos.lane import FULL
from benchmarks.chaos.report import Told, as_json, as_markdown
from benchmarks.chaos.run import carried_out
from benchmarks.image_path.report import machine
from benchmarks.rig.commit import commit

RESULTS: Final = PROJECT_ROOT / "benchmarks" / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every case is as it must be."""
    parser = argparse.ArgumentParser("benchmarks.chaos", description="One thing goes wrong under load, in every way.")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--lanes", type=int, default=6, help="cases side by side; they wait most of the time")
    parser.add_argument("--output", type=Path, default=RESULTS / "chaos", help="without its ending")
    asked = parser.parse_args(arguments)
    chosen = [case for case in CASES if asked.only in case.name]
    if not chosen:
        parser.error(f"no case is called {asked.only}; there are {', '.join(case.name for case in CASES)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else what was started would go on
    rows, left_out = asyncio.run(carried_out(chosen, FULL, lanes=asked.lanes, say=_say))
    told = Told(datetime.now(UTC).date().isoformat(), machine(), commit(), rows, left_out)
    asked.output.with_suffix(".json").write_text(json.dumps(as_json(told), indent=1) + "\n")
    asked.output.with_suffix(".md").write_text(as_markdown(told))
    return 1 if any(row.complaints for row in rows) else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
