"""``python -m tests.hostile``: the whole corpus against a gateway of its own, and the figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from simulator.server import create_app
from simulator.settings import SimulatorSettings
from tests.e2e.gateway_process import gateway_process
from tests.hostile.trying import Told, Trier, corpus, figures
from tests.servers import running


def main() -> int:
    """Try everything; 1 when anything was answered as it must not be."""
    options = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    options.add_argument("--rounds", type=int, default=1, help="how often the corpus is tried")
    options.add_argument("--at-once", type=int, default=4, help="inputs under way at a time")
    asked = options.parse_args()
    cases = corpus()
    told: list[Told] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(create_app(SimulatorSettings(seed=1, time_scale=150.0))) as simulator,
        gateway_process(Path(folder), simulator) as gateway,
    ):
        trier = Trier(gateway.url, asked.at_once)
        files, memory = gateway.open_files(), gateway.now_mib()
        began = time.monotonic()
        for _ in range(asked.rounds):
            told += trier.all(cases)
        seconds = time.monotonic() - began
        trier.close()
        print(figures(told, seconds))
        print(
            f"memory {memory:.0f} MiB before, {gateway.peak_mib():.0f} MiB at its peak, "
            f"{gateway.now_mib():.0f} MiB now; "
            f"open files {files} before, {gateway.open_files()} now"
        )
    wrong = {f"{each.case.name}: {each.fault}" for each in told if each.fault}
    for sentence in sorted(wrong):
        print(sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
