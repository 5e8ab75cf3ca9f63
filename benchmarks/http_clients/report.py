"""Report: a run as JSON and as tables in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

Rounds = Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]
"""Figures by scenario, candidate and round."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that a report tells."""

    date: str
    machine: str
    load: str
    """What else the machine did meanwhile."""
    versions: Mapping[str, str]
    rounds: Rounds
    scenarios: Mapping[str, str]
    """What each is, by name."""
    behaviour: Mapping[str, Mapping[str, str]]
    left_out: Mapping[str, str]


_MEASURES: Final[tuple[tuple[str, str, Callable[[Sequence[float]], float]], ...]] = (
    ("cpu_ms", "CPU ms, least", min),
    ("cpu_ms", "CPU ms, median", median),
    ("p50_ms", "p50 ms", median),
    ("p99_ms", "p99 ms", median),
    ("mb_each", "MB each", median),
    ("most_at_upstream", "most at the upstream", median),
)


def as_json(told: Told) -> dict[str, Any]:
    """Every figure of every round."""
    return {
        "date": told.date,
        "machine": told.machine,
        "load": told.load,
        "versions": dict(told.versions),
        "scenarios": dict(told.scenarios),
        "rounds": told.rounds,
        "behaviour": told.behaviour,
        "left_out": dict(told.left_out),
    }


def as_markdown(told: Told) -> str:
    """One table of CPU for all scenarios, then one for each with all its figures, then what was observed."""
    return "\n".join(_lines(told)) + "\n"


def _lines(told: Told) -> Iterator[str]:
    yield "# HTTP clients in the path of the gateway\n"
    versions = ", ".join(f"{name} {version}" for name, version in told.versions.items())
    yield f"{told.date}; {told.machine}; {versions}. {told.load}\n"
    yield (
        "Each measurement is a fresh process on core 0, with all its threads; the fake upstream, and nginx where there "
        "is TLS 1.3, are on core 1. CPU per request is the least of all rounds, because others on the machine can only "
        "add to it; wall-clock figures and memory are medians and good for ratios only. MB each is the peak of the "
        "resident set above the idle process, per request open at once. Our transport does more than the candidates: "
        "it cuts the images out of the reply.\n"
    )
    names = list(dict.fromkeys(name for each in told.rounds.values() for name in each))
    yield "## CPU ms per request, least of all rounds\n"
    yield "| scenario | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for scenario, by_name in told.rounds.items():
        cells = [_shown(_figure(by_name.get(name, ()), "cpu_ms", min)) for name in names]
        yield f"| {told.scenarios.get(scenario, scenario)} | " + " | ".join(cells) + " |"
    yield "\n## What becomes of a POST\n"
    yield from _observed(told.behaviour)
    for scenario, by_name in told.rounds.items():
        yield from _table(scenario, told.scenarios.get(scenario, ""), by_name)
    if told.left_out:
        yield "\n## Left out\n"
        yield from (f"- {what}: {why}" for what, why in told.left_out.items())


def _observed(behaviour: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    yield "| | " + " | ".join(behaviour) + " |"
    yield "|---" * (len(behaviour) + 1) + "|"
    for question in next(iter(behaviour.values()), {}):
        yield f"| {question} | " + " | ".join(each.get(question, "-") for each in behaviour.values()) + " |"


def _table(name: str, meaning: str, by_name: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterator[str]:
    known = {key for values in by_name.values() for each in values for key in each}
    measures = [each for each in _MEASURES if each[0] in known]
    yield f"\n## {name}: {meaning}\n"
    yield "| client | rounds | " + " | ".join(title for _, title, _ in measures) + " |"
    yield "|---" * (len(measures) + 2) + "|"
    for client, values in by_name.items():
        cells = [_shown(_figure(values, key, over)) for key, _, over in measures]
        yield f"| {client} | {len(values)} | " + " | ".join(cells) + " |"


def _figure(values: Sequence[Mapping[str, float]], key: str, over: Callable[[Sequence[float]], float]) -> float | None:
    found = [each[key] for each in values if key in each]
    return over(found) if found else None


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}"
