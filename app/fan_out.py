"""Fan-out: several images for one request. Parts are made side by side, and what is missing is planned again alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

from app.fitting import Fitting
from app.gateway import Choice, Gateway, Made, NotMadeError, Watcher
from app.media.verify import Delivered
from providers.spec.blob import Blob
from providers.spec.errors import Fault
from providers.spec.result import Usage, Warning
from providers.spec.unguarded import unguarded
from routing.attempt import Attempt
from routing.fallback import payments

SEEDS = 2**31
"""Seeds wrap around here: Google's is a signed 32-bit number, and the other vendors take this range too."""


@unguarded
@dataclass(frozen=True, slots=True)
class AllMade:
    """What became of a request for one or more images. At least one was made."""

    parts: tuple[Made, ...]
    """In the order in which they were finished."""
    attempts: tuple[Attempt, ...]
    """Of all parts, those that failed included, by their start."""
    warnings: tuple[Warning, ...]
    """Without repetition; one says how many images are missing, if any are."""

    @property
    def images(self) -> tuple[Delivered, ...]:
        """In the order in which they were finished."""
        return tuple([image for part in self.parts for image in part.images])

    @property
    def winners(self) -> tuple[Attempt, ...]:
        """The attempts whose images these are."""
        return tuple([part.winner for part in self.parts])

    @property
    def cost(self) -> Decimal:
        """USD the caller is charged, for these images."""
        return sum([part.cost for part in self.parts], Decimal(0))

    @property
    def usage(self) -> Usage | None:
        """Tokens of all parts together; None when no vendor counted."""
        counted = [part.usage for part in self.parts if part.usage is not None]
        if len(counted) < 2:
            return counted[0] if counted else None
        return Usage.of_all(counted)

    @property
    def simulated(self) -> bool:
        """Whether a vendor that was tried is a pretended one."""
        return any(part.simulated for part in self.parts)


@unguarded
@dataclass(frozen=True, slots=True)
class _Missing:
    """Images still to be made."""

    count: int
    before: tuple[Attempt, ...] = ()
    """What has been tried for these very images and failed; it counts against their tries and payments."""
    paid: int = 0
    """How often each of them was paid for, certainly or perhaps, by attempts that delivered others."""
    at_once: int = 0
    """As many as whoever made the rest of their part makes in one call; 0: nobody has made any yet."""

    @property
    def payments(self) -> int:
        """Those made, or perhaps made, for each of them in vain."""
        return self.paid + payments(self.before)


@unguarded
@dataclass(frozen=True, slots=True)
class _Part:
    """A call's worth of images, and the work that makes them."""

    work: Coroutine[Any, Any, Made]
    size: int
    paid: int

    def missing(self, made: Made) -> _Missing:
        """What it was to bring and did not."""
        aside = [each for each in made.attempts if each.fault in _NOT_FAILED]
        # Of two that delivered in the same moment one is not used; a winner may be billed for images that were lost.
        paid = self.paid + payments(aside) - (made.winner.cost <= made.cost)
        failed = tuple(each for each in made.attempts if each not in aside)
        return _Missing(self.size - len(made.images), failed, paid, made.winner.offer.capability.max_images)


_NOT_FAILED = frozenset({None, Fault.ABANDONED})
"""Outcomes of attempts that speak against nothing: those that delivered, and hedges that lost to them."""


class _Collecting:
    """What has come of the parts so far."""

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.failed: list[NotMadeError] = []
        self.bugs: list[Exception] = []
        self.stopped = False
        """The gateway's own end came before all were made."""
        self.missing: list[_Missing] = []
        """What the finished parts of this round have left to be made up for."""

    @property
    def count(self) -> int:
        return sum([len(part.images) for part in self.made])


async def make_all(
    gateway: Gateway,
    choices: Sequence[Choice],
    fitting: Fitting,
    *,
    timeout_s: float | None = None,
    watcher: Watcher | None = None,
    on_interim: Callable[[Blob], None] | None = None,
    on_made: Callable[[Made], None] | None = None,
    stopping: Callable[[], bool] | None = None,
) -> AllMade:
    """Make the ``n`` images the choices' requests ask for, or as many of them as can be had.

    A vendor that makes several images in one call is asked for them in one; else each image is a call of its own, and
    they run side by side, each with its own plan, so that a full offer sends the rest elsewhere. Every image that was
    paid for is kept: NotMadeError is raised only when there is none. What a part leaves short is planned again, unless
    its images were paid for as often as the policy allows. ``on_made`` is handed each finished part. Cancellation ends
    all parts; where ``stopping`` says that it is the gateway's own end and not the caller's, what was made until then
    is the result.
    """
    wanted = choices[0].request.n
    limit_s = gateway.deadline_s if timeout_s is None else timeout_s
    deadline_at = gateway.clock() + limit_s
    make = partial(
        gateway.make,
        timeout_s=limit_s,
        deadline_at=deadline_at,
        watcher=watcher,
        fitting=fitting,
        on_interim=on_interim,
    )
    if wanted == 1:
        return await _only_one(make(choices), on_made)
    got = _Collecting()
    missing = [_Missing(wanted)]
    while missing and not (got.made and gateway.clock() >= deadline_at):
        first = wanted - sum(each.count for each in missing)
        parts = []
        for each in missing:
            at_once = each.at_once or _at_once(gateway, choices, each.count)
            for size in _sizes(each.count, at_once):
                order = tuple(_part(choice, size, of=wanted, first=first) for choice in choices)
                work = make(order, before=each.before, paid=each.paid)
                parts.append(_Part(work, size, each.paid))
                first += size
        try:
            await _side_by_side(parts, got, on_made)
        except asyncio.CancelledError:
            if not got.made or stopping is None or not stopping() or not _taken_back():
                raise
            got.stopped = True
            break
        missing = [each for each in got.missing if each.payments < gateway.max_payments]
        got.missing = []
    if not got.made:
        raise got.bugs[0] if got.bugs else _nothing_made(got)
    return AllMade(tuple(got.made), _attempts(got), _warnings(got, wanted))


async def _only_one(work: Coroutine[Any, Any, Made], on_made: Callable[[Made], None] | None) -> AllMade:
    """A request for one image: nothing is to be cut, run side by side, or made up for."""
    try:
        made = await work
    except NotMadeError as failed:
        failed.attempts = _in_order(failed.attempts)
        raise
    if on_made is not None:
        on_made(made)
    return AllMade((made,), _in_order(made.attempts), _once(made.warnings))


def _taken_back() -> bool:
    """Take one cancellation of this task back; whether none is left. A function of its own, because a frame that knows
    its task and stands in the task's last exception would keep itself, and all it made, alive."""
    own = asyncio.current_task()
    return own is not None and own.uncancel() == 0


def _at_once(gateway: Gateway, choices: Sequence[Choice], count: int) -> int:
    """How many images a part is to bring: as many as the likeliest offer makes in one call.

    With a seed it is one: asked for several by one seed, a vendor was seen to return the same picture several times.
    """
    if count == 1 or choices[0].request.seed is not None:
        return 1
    for choice in choices:
        candidates = gateway.planned(_part(choice, count, of=count, first=0)).candidates
        if candidates:
            return candidates[0].offer.capability.max_images
    return count


def _sizes(count: int, at_once: int) -> list[int]:
    return [min(at_once, count - done) for done in range(0, count, at_once)]


def _part(choice: Choice, size: int, *, of: int, first: int) -> Choice:
    """The choice for ``size`` of the ``of`` images; ``first`` is how many are made or begun before them.

    Two images of one seed would be one image twice, so each has the next seed. A limit on the whole request's price is
    shared among its images alike.
    """
    request, wishes = choice.request, choice.wishes
    if size == request.n == of and not first:
        return choice
    if of > 1 and wishes.max_price_per_request is not None:
        wishes = replace(wishes, max_price_per_request=wishes.max_price_per_request * size / of)
    seed = None if request.seed is None else (request.seed + first) % SEEDS
    return replace(choice, request=replace(request, n=size, seed=seed), wishes=wishes)


async def _side_by_side(parts: Sequence[_Part], got: _Collecting, on_made: Callable[[Made], None] | None) -> None:
    """Run the parts and collect what comes of them as it comes."""
    if len(parts) == 1:
        await _collected(parts[0], parts[0].work, got, on_made)
        return
    tasks = {asyncio.create_task(part.work): part for part in parts}
    try:
        under_way = set(tasks)
        while under_way:
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await _collected(tasks[task], task, got, on_made)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _collected(
    part: _Part, work: Awaitable[Made], got: _Collecting, on_made: Callable[[Made], None] | None
) -> None:
    try:
        made = await work
    except NotMadeError as failed:
        got.failed.append(failed.with_traceback(None))  # it leads to the task, which has it: they would stay
    except Exception as bug:  # noqa: BLE001 - whatever it is, the images of the other parts are paid for
        got.bugs.append(bug)
    else:
        got.made.append(made)
        if len(made.images) < part.size:
            got.missing.append(part.missing(made))
        if on_made is not None:
            on_made(made)


def _nothing_made(got: _Collecting) -> NotMadeError:
    """The failure of the whole: that of the first part, with what was tried for all of them."""
    first = got.failed[0]
    return NotMadeError(first.verdict, first.plan, _attempts(got), simulated=any(each.simulated for each in got.failed))


def _attempts(got: _Collecting) -> tuple[Attempt, ...]:
    every = [attempt for part in got.made for attempt in part.attempts]
    every += [attempt for part in got.failed for attempt in part.attempts]
    # What failed for images that were planned again stands with both parts.
    return _in_order({id(attempt): attempt for attempt in every}.values())


def _in_order(attempts: Collection[Attempt]) -> tuple[Attempt, ...]:
    return tuple(attempts if len(attempts) < 2 else sorted(attempts, key=lambda attempt: attempt.started_at))


def _warnings(got: _Collecting, wanted: int) -> tuple[Warning, ...]:
    warnings = [warning for part in got.made for warning in part.warnings]
    if got.count < wanted:
        why = got.failed[0].verdict.message if got.failed else "what is missing was paid for and could not be used"
        if got.stopped:
            why = "the gateway was stopped before the rest was there"
        warnings.append(Warning("n", f"{got.count} of {wanted} images were made: {why}"))
    return _once(warnings)


def _once(warnings: Collection[Warning]) -> tuple[Warning, ...]:
    return tuple(dict.fromkeys(warnings))
