"""Row: what one case came to, and whether it is as it must be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from benchmarks.chaos.case import Case
from benchmarks.rig.answers import LEFT, Seen, counted
from benchmarks.rig.books import Account

SPARE_TASKS: Final = 1
"""The link to Redis has a task more or less, by whether it waits just then."""


class Phase(StrEnum):
    """When a request was sent."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a case, and what became of it."""

    phase: Phase
    seen: Seen


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report."""

    case: Case
    asked: Sequence[Asked]
    noticed: Mapping[str, float | None]
    """Seconds from the deed until each sign showed; None: not at all."""
    accounts: Sequence[Account]
    cancelled: int
    """Jobs the vendors were told to drop."""
    stuck: int
    """Requests nobody answered."""
    left: Mapping[str, int]
    """What the gateway holds more than before, once it is at rest: by what it is, nothing at zero."""
    recovered: bool
    """Whether a plain request was served once all was over."""

    def answers(self, phase: Phase) -> dict[str, int]:
        """How often each answer was given to what was asked then."""
        return counted(each.seen for each in self.asked if each.phase is phase)

    @property
    def slowest_s(self) -> float:
        """Longest anybody waited for an answer."""
        return max((each.seen.seconds for each in self.asked if each.seen.told != LEFT), default=0.0)

    @property
    def spare(self) -> int:
        """Images billed that nobody received: bad ones, those of callers who left, and of tries given up."""
        return sum(account.images for account in self.accounts) - sum(each.seen.images for each in self.asked)

    @property
    def twice(self) -> int:
        """Images bought although they were there already."""
        return sum(each.seen.twice for each in self.asked)

    @property
    def lost_usd(self) -> float:
        """Billed without the gateway's knowing."""
        return sum(account.lost for account in self.accounts)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is not as it must be."""
        return tuple(_complaints(self))


def _complaints(row: Row) -> Iterator[str]:
    case = row.case
    if case.signs and not case.may_pass_unnoticed and row.noticed.get(case.signs[0].who) is None:
        yield "nobody noticed"
    for told, times in counted(each.seen for each in row.asked if _improper(case, each)).items():
        yield f"{times}x {told}"
    if row.stuck:
        yield f"{row.stuck} requests were never answered"
    if row.twice:
        yield f"{row.twice} images were bought twice"
    if not case.books_gone:
        yield from (f"the bill of {each.provider} is another" for each in row.accounts if not each.agrees)
    yield from (f"left behind: {count} {what}" for what, count in row.left.items())
    if not row.recovered:
        yield "not served afterwards"


def _improper(case: Case, asked: Asked) -> bool:
    """Whether a caller was told something that is not for this case."""
    seen = asked.seen
    if seen.told in {"200", LEFT}:
        return bool(seen.wrong)
    if asked.phase is Phase.BEFORE:
        # It may have been under way when the deed was done.
        return seen.told not in case.allowed and seen.kind not in case.pinned
    if seen.kind in case.pinned:
        return bool(seen.wrong)
    return seen.told not in case.allowed
