"""Rankings: the figures of every offer as seen from outside. Price, state, rank under each policy, and what happened in
the last minutes, hours and days, by operation and resolution."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from app.catalog.catalog import Catalog
from app.catalog.models import FoundModel
from app.doors.openai_images.answer import amount
from app.doors.openai_images.route_plan import SECONDS_DIGITS, SHARE_DIGITS
from providers.spec.blob import InlineBlob
from providers.spec.request import ImageRequest, Operation, Resolution
from routing.board import Board
from routing.offers import Offer
from routing.plan import plan
from routing.stats.outcome import StatKey
from routing.stats.windows import WINDOW_NAMES, WindowFigures, Windows
from routing.wishes import RouteWishes

FRESH_S = 1.0
"""How long rows are handed out again: whoever asks more often than once a second costs nothing."""

_PLAIN_PROMPT = "a picture"
"""A prompt no provider objects to."""
_DRAW = 0.5

Row = dict[str, object]


class Rankings:
    """The rows of all models, worked out when they are asked for. One per process."""

    def __init__(self, catalog: Catalog, board: Board, clock: Callable[[], float]) -> None:
        """``clock`` gives unix seconds."""
        self.board = board
        self._catalog = catalog
        self._clock = clock
        self._known: dict[str, tuple[float, list[Row]]] = {}
        self._working = asyncio.Lock()

    async def of_all(self) -> list[Row]:
        """The rows of every model, in the order of the configuration."""
        return [row for name in self._catalog.models for row in await self._of(name)]

    async def of(self, found: FoundModel) -> list[Row]:
        """The rows of the model, of the provider and of the resolution that its name means.

        Ranks are those among all the model's offers, whoever is pinned.
        """
        tier = found.resolution.value if found.resolution is not None else None
        return [
            row
            for row in await self._of(found.model.name)
            if found.provider in (None, row["provider"]) and tier in (None, row["resolution"])
        ]

    async def _of(self, model: str) -> list[Row]:
        async with self._working:
            known = self._known.get(model)
            if known is not None and 0 <= self._clock() - known[0] < FRESH_S:
                return known[1]
            now = self._clock()
            rows: list[Row] = []
            for some in rows_of(self._catalog, self.board, model, now=now):
                rows += some
                await asyncio.sleep(0)  # requests go first: merging a month of slices takes its time
            self._known[model] = (now, rows)
            return rows


def rows_of(catalog: Catalog, board: Board, model: str, *, now: float) -> Iterator[list[Row]]:
    """The rows of one model, some at a time: those of an operation at a resolution, in the order of the configuration.

    ``now`` is unix seconds. The board is left as it was.
    """
    offers = [offer for offer in catalog.offers if offer.model == model]
    for operation in Operation:
        for resolution in Resolution:
            sellers = [
                offer
                for offer in offers
                if operation in offer.capability.operations and resolution in offer.capability.resolutions
            ]
            if sellers:
                yield _rows(catalog, board, sellers, plainest(model, operation, resolution), now)


def plainest(model: str, operation: Operation, resolution: Resolution) -> ImageRequest:
    """A request with nothing beyond what its operation needs: one image, and for an edit one input image."""
    images = (InlineBlob(""),) if operation is Operation.EDIT else ()
    return ImageRequest(model, _PLAIN_PROMPT, operation=operation, images=images, resolution=resolution)


def _rows(catalog: Catalog, board: Board, sellers: Sequence[Offer], request: ImageRequest, now: float) -> list[Row]:
    policy, prices = catalog.policy, catalog.prices
    found = board.healths(sellers, request.operation, request.resolution, now=now, asking=False)
    # A probe that is due puts its offer first for one request; a ranking says where it stands otherwise.
    healths = {key: replace(health, likely_due=False, hopeful_due=False) for key, health in found.items()}
    ranks: dict[str, dict[str, int | None]] = {offer.key: dict.fromkeys(policy.objectives) for offer in sellers}
    for name in policy.objectives:
        wishes = RouteWishes(policy=name)
        route = plan(request, sellers, prices, healths, policy, now=now, draw=_DRAW, wishes=wishes, kin=board.kin)
        for rank, candidate in enumerate(route.candidates, start=1):
            ranks[candidate.offer.key][name] = rank
    today = datetime.fromtimestamp(now, tz=UTC).date()
    rows: list[Row] = []
    for offer in sellers:
        quote = prices.quote(offer, request, on=today)
        windows = board.statistics.windows(StatKey(offer.key, request.operation, request.resolution))
        rows.append(
            {
                "provider": offer.provider,
                "model": offer.model,
                "operation": request.operation.value,
                "resolution": request.resolution.value if request.resolution is not None else None,
                "price_usd": amount(quote.total) if quote is not None else None,
                "state": healths[offer.key].state(now=now).value,
                "rank": ranks[offer.key],
                "windows": {name: _window(windows, name, now) for name in WINDOW_NAMES},
            }
        )
    return rows


_SILENT = WindowFigures(
    samples=0,
    success=None,
    success_low=None,
    success_high=None,
    p50_s=None,
    p95_s=None,
    p99_s=None,
    ttfb_p50_s=None,
    refused=0,
)


def _window(windows: Windows | None, name: str, now: float) -> dict[str, object]:
    figures = windows.figures(name, now) if windows is not None else _SILENT
    return {
        "samples": figures.samples,
        "success": _rounded(figures.success, SHARE_DIGITS),
        "success_low": _rounded(figures.success_low, SHARE_DIGITS),
        "success_high": _rounded(figures.success_high, SHARE_DIGITS),
        "p50_s": _rounded(figures.p50_s, SECONDS_DIGITS),
        "p95_s": _rounded(figures.p95_s, SECONDS_DIGITS),
        "p99_s": _rounded(figures.p99_s, SECONDS_DIGITS),
        "ttfb_p50_s": _rounded(figures.ttfb_p50_s, SECONDS_DIGITS),
    }


def _rounded(figure: float | None, digits: int) -> float | None:
    return None if figure is None else round(figure, digits)
