"""Bars: what the image path must reach, as ratios to the peers of the same run where machines differ. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Final

Rounds = Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]
"""Figures by scenario, contestant and round."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bar, held against one run."""

    told: str
    bar: float
    """What the value may be at most."""
    value: float | None
    """None: something it needs was not measured."""
    unit: str

    @property
    def holds(self) -> bool | None:
        """None: cannot be said."""
        return None if self.value is None else self.value <= self.bar


def figure(rounds: Rounds, scenario: str, contestant: str, measure: str) -> float | None:
    """The median of all rounds; None when there was none."""
    values = [each[measure] for each in rounds.get(scenario, {}).get(contestant, ()) if measure in each]
    return median(values) if values else None


@dataclass(frozen=True, slots=True)
class _Bar:
    told: str
    bar: float
    unit: str
    value: Callable[[Rounds], float | None]


def _own(scenario: str, measure: str, contestant: str = "ours") -> Callable[[Rounds], float | None]:
    return partial(figure, scenario=scenario, contestant=contestant, measure=measure)


def _share(scenario: str, measure: str, peer: str) -> Callable[[Rounds], float | None]:
    def value(rounds: Rounds) -> float | None:
        own, other = figure(rounds, scenario, "ours", measure), figure(rounds, scenario, peer, measure)
        return None if own is None or not other or other < 0 else own / other

    return value


def _missing(scenario: str, count: int) -> Callable[[Rounds], float | None]:
    def value(rounds: Rounds) -> float | None:
        most = figure(rounds, scenario, "ours", "most_at_upstream")
        return None if most is None else count - most

    return value


def _failed(rounds: Rounds) -> float | None:
    figures = [each for by_name in rounds.values() for each in by_name.get("ours", ())]
    return sum(each.get("failed", 0.0) for each in figures) if figures else None


def _bars() -> Iterator[_Bar]:
    of = "of {}".format
    yield _Bar("CPU per small generation, 64 at once", 1 / 15, of("LiteLLM"), _share("small", "cpu_ms", "litellm"))
    yield _Bar("CPU per small generation, 64 at once", 1 / 2, of("Portkey"), _share("small", "cpu_ms", "portkey"))
    yield _Bar("added p50 at 50 req/s", 1 / 5, of("LiteLLM"), _share("latency", "added_p50_ms", "litellm"))
    yield _Bar("added p99 at 50 req/s", 1 / 3, of("LiteLLM"), _share("latency", "added_p99_ms", "litellm"))
    yield _Bar("CPU per verified 1K image, Gemini", 1 / 4, of("LiteLLM"), _share("1k", "cpu_ms", "litellm"))
    yield _Bar("CPU per verified 4K image, Gemini", 1 / 2.2, of("LiteLLM"), _share("4k", "cpu_ms", "litellm"))
    yield _Bar("CPU per verified 4K image, Gemini", 2.7, of("nginx"), _share("4k", "cpu_ms", "nginx"))
    yield _Bar("peak RSS per 4K in flight, 16 at once", 4.0, "MB", _own("held16", "mb_each"))
    yield _Bar("peak RSS, 64 x 4K at once", 300.0, "MB", _own("held64", "peak_mb"))
    yield _Bar("peak RSS per 4K in flight, 16 slow clients", 4.5, "MB", _own("slow16", "mb_each"))
    for count in (2000, 5000):
        name = f"flight{count}"
        yield _Bar(f"{count:,} in flight: not at the upstream at once", 0.0, "requests", _missing(name, count))
        yield _Bar(f"{count:,} in flight: failed", 0.0, "requests", _own(name, "failed"))
        yield _Bar(f"{count:,} in flight: p99", 14.0, "s", _own(name, "p99_s"))
        yield _Bar(f"{count:,} in flight: peak RSS each", 45.0, "KB", _own(name, "kb_each"))
    yield _Bar("edits, 11 MB upload: CPU", 1 / 1.6, of("LiteLLM"), _share("edit", "cpu_ms", "litellm"))
    yield _Bar("edits, 11 MB upload: peak RSS per edit in flight", 4.0, "MB", _own("edit16", "mb_each"))
    yield _Bar("idle RSS", 100.0, "MB", _own("start", "idle_mb"))
    yield _Bar("start to first good answer", 1.2, "s", _own("start", "start_s"))
    yield _Bar("event-loop lag p99, 16 x 4K at once", 60.0, "ms", _own("lag", "lag_p99_ms"))
    yield _Bar("failed requests in all scenarios", 0.0, "requests", _failed)


_BARS: Final = tuple(_bars())


def verdicts(rounds: Rounds) -> list[Verdict]:
    """Every bar, in order."""
    return [Verdict(each.told, each.bar, each.value(rounds), each.unit) for each in _BARS]
