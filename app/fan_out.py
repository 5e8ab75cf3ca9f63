"""Fan-out: several images for one request. Parts are made side by side, and what is missing is planned again alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from app.fitting import Fitting
from app.gateway import Choice, Gateway, Made, NotMadeError, Watcher
from app.media.verify import Delivered
from providers.spec.blob import Blob
from providers.spec.request import ImageRequest
from providers.spec.result import Usage, Warning
from routing.attempt import Attempt

SEEDS = 2**31
"""Seeds wrap around here: Google's is a signed 32-bit number, and the other vendors take this range too."""


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
        return tuple(image for part in self.parts for image in part.images)

    @property
    def winners(self) -> tuple[Attempt, ...]:
        """The attempts whose images these are."""
        return tuple(part.winner for part in self.parts)

    @property
    def cost(self) -> Decimal:
        """USD the caller is charged, for these images."""
        return sum((part.cost for part in self.parts), Decimal(0))

    @property
    def usage(self) -> Usage | None:
        """Tokens of all parts together; None when no vendor counted."""
        counted = [part.usage for part in self.parts if part.usage is not None]
        return None if not counted else _sum(counted)

    @property
    def simulated(self) -> bool:
        """Whether a vendor that was tried is a pretended one."""
        return any(part.simulated for part in self.parts)


class _Collecting:
    """What has come of the parts so far."""

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.failed: list[NotMadeError] = []
        self.bugs: list[Exception] = []
        self.lost = 0
        """Images whose part failed for good."""

    @property
    def count(self) -> int:
        return sum(len(part.images) for part in self.made)


async def make_all(
    gateway: Gateway,
    choices: Sequence[Choice],
    fitting: Fitting,
    *,
    timeout_s: float | None = None,
    watcher: Watcher | None = None,
    on_interim: Callable[[Blob], None] | None = None,
    on_made: Callable[[Made], None] | None = None,
) -> AllMade:
    """Make the ``n`` images the choices' requests ask for, or as many of them as can be had.

    A vendor that makes several images in one call is asked for them in one; else each image is a call of its own, and
    they run side by side, each with its own plan, so that a full offer sends the rest elsewhere. Every image that was
    paid for is kept: NotMadeError is raised only when there is none. ``on_made`` is handed each finished part.
    Cancellation ends all parts.
    """
    wanted = choices[0].request.n
    deadline_at = gateway.clock() + (gateway.deadline_s if timeout_s is None else timeout_s)
    got = _Collecting()
    while (missing := wanted - got.count - got.lost) > 0:
        left = deadline_at - gateway.clock()
        if got.made and left <= 0:
            break
        first = wanted - missing
        parts = []
        for size in _sizes(gateway, choices[0], missing):
            order = tuple(_part(choice, size, of=wanted, first=first) for choice in choices)
            work = gateway.make(order, timeout_s=left, watcher=watcher, fitting=fitting, on_interim=on_interim)
            parts.append((work, size))
            first += size
        await _side_by_side(parts, got, on_made)
    if not got.made:
        raise got.bugs[0] if got.bugs else _nothing_made(got)
    return AllMade(tuple(got.made), _attempts(got), _warnings(got, wanted))


def _sizes(gateway: Gateway, choice: Choice, missing: int) -> list[int]:
    """How many images each part is to bring: as many as the likeliest offer makes in one call.

    With a seed it is one: asked for several by one seed, a vendor was seen to return the same picture several times.
    """
    at_once = 1
    if missing > 1 and choice.request.seed is None:
        candidates = gateway.planned(_part(choice, missing, of=missing, first=0)).candidates
        at_once = candidates[0].offer.capability.max_images if candidates else missing
    return [min(at_once, missing - done) for done in range(0, missing, at_once)]


def _part(choice: Choice, size: int, *, of: int, first: int) -> Choice:
    """The choice for ``size`` of the ``of`` images; ``first`` is how many are made or begun before them.

    Two images of one seed would be one image twice, so each has the next seed. A limit on the whole request's price is
    shared among its images alike.
    """
    request, wishes = choice.request, choice.wishes
    if of > 1 and wishes.max_price_per_request is not None:
        wishes = replace(wishes, max_price_per_request=wishes.max_price_per_request * size / of)
    return replace(choice, request=replace(request, n=size, seed=_seed(request, first)), wishes=wishes)


def _seed(request: ImageRequest, first: int) -> int | None:
    return None if request.seed is None else (request.seed + first) % SEEDS


async def _side_by_side(
    parts: Sequence[tuple[Coroutine[Any, Any, Made], int]], got: _Collecting, on_made: Callable[[Made], None] | None
) -> None:
    """Run the parts, each with the number of images it is for, and collect what comes of them as it comes."""
    sizes = {asyncio.create_task(work): size for work, size in parts}
    try:
        under_way = set(sizes)
        while under_way:
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                try:
                    made = task.result()
                except NotMadeError as failed:
                    got.failed.append(failed)
                    got.lost += sizes[task]
                except Exception as bug:  # noqa: BLE001 - whatever it is, the images of the other parts are paid for
                    got.bugs.append(bug)
                    got.lost += sizes[task]
                else:
                    got.made.append(made)
                    if on_made is not None:
                        on_made(made)
    finally:
        for task in sizes:
            task.cancel()
        await asyncio.gather(*sizes, return_exceptions=True)


def _nothing_made(got: _Collecting) -> NotMadeError:
    """The failure of the whole: that of the first part, with what was tried for all of them."""
    first = got.failed[0]
    simulated = any(each.simulated for each in got.failed)
    return NotMadeError(first.verdict, first.plan, _attempts(got), simulated=simulated)


def _attempts(got: _Collecting) -> tuple[Attempt, ...]:
    every = [attempt for part in got.made for attempt in part.attempts]
    every += [attempt for part in got.failed for attempt in part.attempts]
    return tuple(sorted(every, key=lambda attempt: attempt.started_at))


def _warnings(got: _Collecting, wanted: int) -> tuple[Warning, ...]:
    warnings = [warning for part in got.made for warning in part.warnings]
    if got.count < wanted:
        why = f": {got.failed[0].verdict.message}" if got.failed else ""
        warnings.append(Warning("n", f"{got.count} of {wanted} images were made{why}"))
    return tuple(dict.fromkeys(warnings))


def _sum(counted: Sequence[Usage]) -> Usage:
    return Usage(
        input_tokens=sum(each.input_tokens for each in counted),
        output_tokens=sum(each.output_tokens for each in counted),
        input_text_tokens=sum(each.input_text_tokens for each in counted),
        input_image_tokens=sum(each.input_image_tokens for each in counted),
        output_image_tokens=sum(each.output_image_tokens for each in counted),
        thought_tokens=sum(each.thought_tokens for each in counted),
    )
