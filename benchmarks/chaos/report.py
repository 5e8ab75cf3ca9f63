"""Report: rows as JSON and as a table in Markdown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.chaos.row import Phase, Row

_HEAD: Final = (
    "case",
    "noticed after s",
    "answers meanwhile",
    "afterwards",
    "slowest s",
    "billed / ours (possible) USD",
    "nobody's",
    "twice",
    "lost USD",
    "stuck",
    "left behind",
)


@dataclass(frozen=True, slots=True)
class Told:
    """All that a report tells."""

    date: str
    machine: str
    commit: str
    rows: Sequence[Row]
    left_out: Mapping[str, str]
    """Cases that could not be carried out here, and why."""


def as_json(told: Told) -> dict[str, Any]:
    """Every figure."""
    return {
        "date": told.date,
        "machine": told.machine,
        "commit": told.commit,
        "left_out": dict(told.left_out),
        "cases": [_row_as_json(row) for row in told.rows],
    }


def as_markdown(told: Told) -> str:
    """A line for each case, and what is not as it must be."""
    return "\n".join(_lines(told)) + "\n"


def _row_as_json(row: Row) -> dict[str, Any]:
    return {
        "case": row.case.name,
        "lasts_s": row.case.lasts_s,
        "noticed_s": {who: None if at is None else round(at, 2) for who, at in row.noticed.items()},
        "answers": {phase.value: row.answers(phase) for phase in Phase},
        "slowest_s": round(row.slowest_s, 2),
        "accounts": [{**asdict(each), "agrees": each.agrees} for each in row.accounts],
        "images_nobody_received": row.spare,
        "images_bought_twice": row.twice,
        "lost_usd": row.lost_usd,
        "jobs_cancelled": row.cancelled,
        "stuck": row.stuck,
        "left_behind": dict(row.left),
        "complaints": list(row.complaints),
    }


def _lines(told: Told) -> Iterator[str]:
    rows = told.rows
    bad = [row for row in rows if row.complaints]
    requests = sum(len(row.asked) for row in rows)
    yield "# Chaos\n"
    yield f"{told.date}; {told.machine}; commit {told.commit}.\n"
    yield (
        f"{len(rows)} cases, {requests:,} requests. Each case has a gateway of its own before the vendor "
        "simulator at ten times the vendors' pace, with a policy twice as fast as shipped (ten times where a "
        "silent vendor or a caller is the trouble), under load before, during and after it; several run side "
        "by side on a machine that does other work, so seconds are upper bounds. *Noticed* is when a sign of "
        "it stood on `/metrics`, which was looked at ten times a second. *Nobody's* are images that vendors "
        "billed and no caller received: bad ones, those of callers who left, of tries given up too late. "
        "*Twice* are images bought although they were there already; *lost* is what was billed without the "
        "gateway's account of it. What a killed gateway had under way stands in no account.\n"
    )
    held = len(rows) - len(bad)
    stuck, twice = sum(row.stuck for row in rows), sum(row.twice for row in rows)
    lost = sum(row.lost_usd for row in rows if not row.case.books_gone)
    yield (
        f"**{held} of {len(rows)} cases are as they must be**; {stuck} requests without an answer, {twice} images "
        f"bought twice, ${lost:.4f} lost, {sum(bool(row.left) for row in rows)} cases that left something behind.\n"
    )
    for row in bad:
        yield f"- {row.case.name}: {'; '.join(row.complaints)}"
    yield "\n| " + " | ".join(_HEAD) + " |"
    yield "|---" * len(_HEAD) + "|"
    for row in rows:
        yield _line(row)
    for name, why in told.left_out.items():
        yield f"\nLeft out: {name}: {why}"


def _line(row: Row) -> str:
    billed = sum(each.billed for each in row.accounts)
    ours = sum(each.charged for each in row.accounts)
    possible = sum(each.possible for each in row.accounts)
    account = "its account ended with it" if row.case.books_gone else f"{billed:.2f} / {ours:.2f} ({possible:.2f})"
    meanwhile = Counter(row.answers(Phase.BEFORE)) + Counter(row.answers(Phase.DURING))
    cells = [
        row.case.name,
        "; ".join(f"{who}: {_seconds(at)}" for who, at in row.noticed.items()) or "-",
        _counts(meanwhile),
        _counts(row.answers(Phase.AFTER)),
        f"{row.slowest_s:.1f}",
        account,
        "-" if row.case.books_gone else str(row.spare),
        str(row.twice),
        "-" if row.case.books_gone else f"{row.lost_usd:.2f}",
        str(row.stuck),
        ", ".join(f"{count} {what}" for what, count in row.left.items()) or "nothing",
    ]
    return "| " + " | ".join(cells) + " |"


def _counts(answers: Mapping[str, int]) -> str:
    return ", ".join(f"{told} {times}x" for told, times in answers.items()) or "-"


def _seconds(at: float | None) -> str:
    return "not" if at is None else f"{at:.1f}"
