"""Run: cases, several of them side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from benchmarks.chaos.case import Case
from benchmarks.chaos.lane import Lane, Pace
from benchmarks.chaos.row import Row
from benchmarks.rig.warped import NoCompilerError


async def carried_out(
    cases: Sequence[Case], pace: Pace, *, lanes: int, say: Callable[[str], None] = lambda _: None
) -> tuple[list[Row], dict[str, str]]:
    """The cases' rows in their order, and those that could not be carried out with the reason."""
    waiting = list(cases)[::-1]
    rows: dict[str, Row] = {}
    left_out: dict[str, str] = {}

    async def along(number: int) -> None:
        lane = Lane(pace, seed=number)
        await asyncio.to_thread(lane.__enter__)
        try:
            while waiting:
                case = waiting.pop()
                try:
                    rows[case.name] = row = await lane.carry_out(case)
                except NoCompilerError as reason:
                    left_out[case.name] = str(reason)
                else:
                    say(f"{case.name}: {'; '.join(row.complaints) or 'as it must be'}")
        finally:
            await asyncio.to_thread(lane.__exit__, None, None, None)

    await asyncio.gather(*(along(number) for number in range(min(lanes, len(cases)))))
    return [rows[case.name] for case in cases if case.name in rows], left_out
