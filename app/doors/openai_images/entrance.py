"""Entrance: an order that was understood is admitted, waits for it, or is told to come back."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from app.accounts.keys import presented_key
from app.admission.limits import AdmissionLimits
from app.admission.visit import NotAdmittedError, Reason
from app.doors.admitting import visit_of
from app.doors.hang_up import unless_hung_up
from app.doors.openai_images.errors import ApiError


async def admitted(request: Request, *, timeout_s: float) -> float:
    """Returns once the request may be carried out: seconds it had to wait for that, of ``timeout_s`` it has in all.

    Its body must have been read. Raises ApiError (429) when it is not admitted, ClientDisconnect when its sender leaves
    the queue.
    """
    visit = visit_of(request)
    if visit is None:
        return 0.0
    told_apart = visit.limits.max_in_flight_per_key is not None
    if visit.enter(_caller(request) if told_apart else 0):
        return 0.0
    try:
        waited_s = await unless_hung_up(request, visit.wait(_caller(request), timeout_s))
    except NotAdmittedError as refused:
        raise not_admitted(refused, visit.limits) from None
    if waited_s is None:
        raise ClientDisconnect
    return waited_s


def _caller(request: Request) -> int:
    """A number that stands for the key, which has no business in admission's hands."""
    return hash(presented_key(request.scope["headers"]))


def not_admitted(refused: NotAdmittedError, limits: AdmissionLimits) -> ApiError:
    """429 with the time to come back after. No provider was asked, so a retry costs nothing."""
    full = f"The gateway is at its limit of {limits.max_in_flight:,} image requests at once"
    told = {
        Reason.QUEUE_FULL: f"{full}, and as many wait as may",
        Reason.QUEUE_TIME: f"{full}, and this one's turn did not come within {limits.queue_s:g} s",
        Reason.KEY_LIMIT: f"This key has {limits.max_in_flight_per_key} image requests in flight, the most it may have",
        Reason.BODY_BUDGET: "The gateway holds as many bytes of images as it may just now",
        Reason.DISK_SPACE: "The gateway has no room left on its disk for another image",
    }[refused.reason]
    own = refused.reason is Reason.KEY_LIMIT
    return ApiError(
        429,
        f"{told}: come back in {refused.retry_after_s} s.",
        type="rate_limit_error",
        code="rate_limit_exceeded" if own else "slow_down",
        headers={"retry-after": str(refused.retry_after_s)},
    )
