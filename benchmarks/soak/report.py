"""Report: a soak as JSON and as tables in Markdown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.rig.answers import counted
from benchmarks.soak.judge import Verdict
from benchmarks.soak.run import Result
from benchmarks.soak.sampling import Window


@dataclass(frozen=True, slots=True)
class Told:
    """All that a report tells."""

    date: str
    machine: str
    commit: str
    result: Result
    verdicts: Sequence[Verdict]


def as_json(told: Told) -> dict[str, Any]:
    """Every window and every count."""
    soaked = told.result.soaked
    return {
        "date": told.date,
        "machine": told.machine,
        "commit": told.commit,
        "seconds": told.result.seconds,
        "rate": told.result.rate,
        "left_out": told.result.left_out,
        "verdicts": [{**asdict(each), "holds": each.holds} for each in told.verdicts],
        "idle_before": soaked.idle_before.row(),
        "idle_after": soaked.idle_after.row(),
        "windows": [each.row() for each in soaked.windows],
        "answers": _by_kind(told.result),
        "wrong": [f"{each.kind}: {each.told}: {each.wrong}" for each in soaked.answers if each.wrong],
        "accounts": [{**asdict(each), "agrees": each.agrees} for each in soaked.accounts],
        "troubles": [asdict(each) for each in told.result.troubles],
    }


def as_markdown(told: Told, *, rows: int = 40) -> str:
    """The verdicts, what callers saw, the books, and about so many of the windows."""
    return "\n".join(_lines(told, rows)) + "\n"


def _lines(told: Told, rows: int) -> Iterator[str]:
    result, soaked = told.result, told.result.soaked
    yield "# Soak\n"
    yield f"{told.date}; {told.machine}; commit {told.commit}.\n"
    happened = Counter(each.fault["kind"] if each.fault else f"Redis {each.what}" for each in result.troubles)
    yield (
        f"{result.seconds:,.0f} s at {result.rate:g} requests a second, one gateway before the vendor simulator at ten "
        f"times the vendors' pace (pictures of one byte a pixel), with a Redis; {len(soaked.answers):,} requests, "
        f"{result.left_out} left out because too many were under way. All of it at the lowest priority, beside other "
        "work on the machine, so times say little. Trouble: "
        f"{', '.join(f'{kind} {count}x' for kind, count in sorted(happened.items())) or 'none'}.\n"
    )
    yield "| must be | at most | found | |\n|---|---|---|---|"
    for each in told.verdicts:
        yield f"| {each.told} | {each.most:g} | {each.found:.4g} | {'holds' if each.holds else '**missed**'} |"
    yield "\n## What callers saw\n"
    yield "| kind | requests | answers |\n|---|---|---|"
    for kind, answers in _by_kind(result).items():
        yield f"| {kind} | {sum(answers.values())} | {', '.join(f'{told_} {n}x' for told_, n in answers.items())} |"
    wrong = [f"- {each.kind}: {each.told}: {each.wrong}" for each in soaked.answers if each.wrong]
    if wrong:
        yield "\nAnswers that no request may get:\n"
        yield from wrong[:20]
    yield "\n## The vendors' books and ours\n"
    yield "| provider | images | billed USD | charged by our account | possible on top | |\n|---|---|---|---|---|---|"
    for account in soaked.accounts:
        yield (
            f"| {account.provider} | {account.images} | {account.billed:.4f} | {account.charged:.4f} | "
            f"{account.possible:.4f} | {'agrees' if account.agrees else '**differs**'} |"
        )
    yield "\n## The gateway over time\n"
    step = max(len(soaked.windows) // rows, 1)
    yield from _table([*soaked.windows[::step], soaked.idle_after])
    yield "\nThe last row is the gateway at rest, after the load. MB are 10^6 bytes; lag is what `/healthz` took."


def _table(windows: Sequence[Window]) -> Iterator[str]:
    names = list(windows[0].row())
    yield "| " + " | ".join(name.replace("_", " ") for name in names) + " |"
    yield "|---" * len(names) + "|"
    for window in windows:
        yield "| " + " | ".join(f"{value:g}" for value in window.row().values()) + " |"


def _by_kind(result: Result) -> Mapping[str, Mapping[str, int]]:
    answers = result.soaked.answers
    return {kind: counted(each for each in answers if each.kind == kind) for kind in sorted({a.kind for a in answers})}
