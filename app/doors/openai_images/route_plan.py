"""Route plans as callers read them: what would be tried for one request, in which order and why. Nobody is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite

from app.doors.openai_images.answer import amount
from app.doors.openai_images.fields import Fields
from app.doors.openai_images.orders import Order
from app.gateway import Choice
from app.services import Services
from providers.spec.request import Operation
from routing.board import Board
from routing.offers import Offer
from routing.passage import preview
from routing.policy import Policy
from routing.prices import PriceTable
from routing.reasons import SUBJECT
from routing.route_plan import Candidate, Rejection, RoutePlan

SECONDS_DIGITS = 3
SHARE_DIGITS = 4
_INDEX_DIGITS = 6
"""Indices of two offers may differ by less than a hundredth of a cent."""
_DRY_RUN = ("dry_run", "dryRun")


def planned(own: Services, order: Order) -> dict[str, object]:
    """The answer to an order that wants the plan and no image."""
    return explained(
        order.choices,
        own.gateway.board,
        own.catalog.prices,
        own.catalog.policy,
        now=own.gateway.clock(),
        timeout_s=order.timeout_s,
    )


def dry_run_asked(query: Mapping[str, str]) -> bool:
    """Whether a query says ``dry_run`` or ``dryRun``. Raises ParameterError for a value that is no flag.

    The bare name counts as true: taken otherwise, it would buy an image nobody wants.
    """
    said = {name: query[name] or "true" for name in _DRY_RUN if name in query}
    return bool(Fields(said).flag(*_DRY_RUN))


def explained(
    choices: Sequence[Choice],
    board: Board,
    prices: PriceTable,
    policy: Policy,
    *,
    now: float,
    timeout_s: float | None = None,
) -> dict[str, object]:
    """The plan of the first choice, and those of the others under ``fallback_models`` where there are any.

    ``warnings`` are those that hold whoever serves; what one provider alone would ignore is known once it has served.
    ``timeout_s`` is the caller's own deadline; None: the policy's. Each plan is made as if its model had all of it.
    The board is left as it was: the next request finds the same budgets, leases and figures. Raises nothing.
    """
    limited = policy if timeout_s is None else replace(policy, request_deadline_s=timeout_s)
    plans = [
        explain(preview(board, choice.request, choice.offers, prices, limited, now=now, wishes=choice.wishes))
        | {"warnings": [{"parameter": each.parameter, "message": each.message} for each in choice.warnings]}
        for choice in choices
    ]
    first, *others = plans
    return {**first, "fallback_models": others} if others else first


def explain(route: RoutePlan) -> dict[str, object]:
    """The plan as JSON values. Money is decimal text in USD, except for ``index``, which is a score."""
    return {
        "object": "route_plan",
        "model": route.model,
        "operation": route.operation.value,
        "resolution": route.resolution.value if route.resolution is not None else None,
        "policy": route.objective_name,
        "candidates": [
            _candidate(rank, candidate, route.operation) for rank, candidate in enumerate(route.candidates, start=1)
        ],
        "rejected": [_rejection(rejection) for rejection in route.rejections],
    }


def _candidate(rank: int, candidate: Candidate, operation: Operation) -> dict[str, object]:
    offer, quote = candidate.offer, candidate.quote
    provider_model = offer.provider_model
    edits = operation is Operation.EDIT and provider_model.edit_id
    return {
        "rank": rank,
        "provider": offer.provider,
        "provider_model": provider_model.edit_id if edits else provider_model.id,
        "price_usd": amount(quote.total),
        "price_parts": {part.name: amount(part.amount) for part in quote.parts},
        "expected_seconds": _rounded(candidate.expected_seconds, SECONDS_DIGITS),
        "success": _rounded(candidate.success, SHARE_DIGITS),
        "success_low": _rounded(candidate.success_low, SHARE_DIGITS),
        "success_high": _rounded(candidate.success_high, SHARE_DIGITS),
        "samples": candidate.samples,
        "index": _rounded(candidate.index, _INDEX_DIGITS),
        "reason": _named(offer, candidate.reason),
    }


def _rejection(rejection: Rejection) -> dict[str, object]:
    return {
        "provider": rejection.offer.provider,
        "reason": _named(rejection.offer, rejection.reason),
        "parameter": rejection.parameter,
    }


def _named(offer: Offer, reason: str) -> str:
    return reason.replace(SUBJECT, offer.provider, 1)


def _rounded(figure: float, digits: int) -> float | None:
    """JSON knows no infinity."""
    return round(figure, digits) if isfinite(figure) else None
