"""Report: a run as JSON and as tables in Markdown. Pure, but for ``machine``."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.image_path.bars import Rounds, Verdict, figure

_SAID = {True: "holds", False: "**missed**", None: "not measured"}


@dataclass(frozen=True, slots=True)
class Told:
    """All that a report tells."""

    date: str
    machine: str
    versions: Mapping[str, str]
    quick: bool
    lengths: Mapping[str, int]
    """Bytes of each picture."""
    rounds: Rounds
    scenarios: Mapping[str, str]
    """What each is, by name."""
    left_out: Mapping[str, str]
    verdicts: Sequence[Verdict]


def machine() -> str:
    """Processor, cores, memory, kernel and Python."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    python = platform.python_version()
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}, Python {python}"


def as_json(told: Told) -> dict[str, Any]:
    """Every figure of every round."""
    return {
        "date": told.date,
        "machine": told.machine,
        "versions": dict(told.versions),
        "quick": told.quick,
        "picture_bytes": dict(told.lengths),
        "rounds": told.rounds,
        "left_out": dict(told.left_out),
        "bars": [{**asdict(each), "holds": each.holds} for each in told.verdicts],
    }


def as_markdown(told: Told) -> str:
    """The bars, then a table for each scenario: medians of its rounds."""
    return "\n".join(_lines(told)) + "\n"


def _lines(told: Told) -> Iterator[str]:
    yield "# The image path under load\n"
    versions = ", ".join(f"{name} {version}" for name, version in told.versions.items()) or "no peers"
    pictures = ", ".join(f"{name} {length / 1e6:.3g} MB" for name, length in told.lengths.items())
    yield f"{told.date}; {told.machine}; {versions}{'; a quick run' if told.quick else ''}.\n"
    yield (
        "One worker of each server on core 0; load generator and fake upstream on core 1. Wall-clock figures are good "
        f"for ratios only. Pictures as PNG: {pictures}. MB are 10^6 bytes. Memory held by each request is the peak of "
        "the resident set less what was held idle; the anonymous part of it cannot be reclaimed, mapped files can.\n"
    )
    yield "| bar | at most | measured | |\n|---|---|---|---|"
    for each in told.verdicts:
        yield f"| {each.told} | {each.bar:.3g} {each.unit} | {_shown(each.value)} | {_SAID[each.holds]} |"
    for name, by_contestant in told.rounds.items():
        yield from _table(name, told.scenarios.get(name, ""), by_contestant, told.rounds)
    if told.left_out:
        yield "\n## Left out\n"
        yield from (f"- {what}: {why}" for what, why in told.left_out.items())


def _table(
    name: str, meaning: str, by_contestant: Mapping[str, Sequence[Mapping[str, float]]], rounds: Rounds
) -> Iterator[str]:
    measures = list(dict.fromkeys(key for values in by_contestant.values() for each in values for key in each))
    yield f"\n## {name}: {meaning}\n"
    yield "| server | rounds | " + " | ".join(measure.replace("_", " ") for measure in measures) + " |"
    yield "|---" * (len(measures) + 2) + "|"
    for contestant, values in by_contestant.items():
        cells = [_shown(figure(rounds, name, contestant, measure)) for measure in measures]
        yield f"| {contestant} | {len(values)} | " + " | ".join(cells) + " |"


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}"
