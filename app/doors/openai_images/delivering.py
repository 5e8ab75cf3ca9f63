"""Delivering: what became of an order, as a response: images, their URLs, or the error the caller is told."""

from __future__ import annotations

import time
from collections.abc import Sequence

from fastapi import Request
from fastapi.responses import Response

from app.doors.hosted.origin import origin_of
from app.doors.openai_images.answer import amount, headers_of, metadata_of, success_parts
from app.doors.openai_images.errors import ApiError, internal_error
from app.doors.openai_images.orders import Order
from app.doors.openai_images.output import ResponseFormat
from app.doors.reply import PartsResponse
from app.fan_out import AllMade
from app.gateway import NotMadeError
from app.hosting.hosting import HostingError
from app.services import Services
from providers.spec.result import Warning
from routing.attempt import Attempt


async def answered(own: Services, request: Request, order: Order, made: AllMade) -> Response:
    """The answer to an order that is paid for. Whatever goes wrong now, a retry would pay again, and that is said."""
    try:
        told, urls = made.warnings, None
        if order.response_format is ResponseFormat.URL:
            try:
                urls = await hosted(own, request, made)
            except HostingError as unhosted:
                # The images are paid for: handed over in the other form they are not lost.
                told = (*told, Warning("response_format", f"the images are in b64_json, for {unhosted}"))
        return _success(made, told, urls)
    except Exception as bug:
        failed = internal_error()
        failed.headers = {"x-should-retry": "false"}
        failed.metadata = _undelivered(made)
        raise failed from bug


def _undelivered(made: AllMade) -> dict[str, object]:
    """The metadata of images that nobody gets: what vendors bill stands with the attempts, the caller pays nothing."""
    return {**metadata_for(made), "cost_usd": "0", "images": []}


def _success(made: AllMade, told: Sequence[Warning], urls: Sequence[str] | None) -> Response:
    asked = made.parts[0].choice.request
    winners, cost_usd = made.winners, amount(made.cost)
    parts = success_parts(
        made.images,
        _metadata(made, told, winners, cost_usd),
        usage=made.usage,
        created=int(time.time()),
        urls=urls,
        transparent=asked.transparent,
    )
    headers = headers_of(made.attempts, simulated=made.simulated, model=asked.model, winners=winners, cost_usd=cost_usd)
    return PartsResponse(parts, headers)


async def hosted(own: Services, request: Request, made: AllMade) -> list[str]:
    """A URL for each image. Raises HostingError, whose text is ours, when one cannot be kept."""
    base_url = origin_of(request)
    return [await own.hosting.keep(image.blob, image.format.media_type, base_url=base_url) for image in made.images]


def metadata_for(made: AllMade) -> dict[str, object]:
    """The metadata of an answer."""
    return _metadata(made, made.warnings, made.winners, amount(made.cost))


def _metadata(
    made: AllMade, warnings: Sequence[Warning], winners: Sequence[Attempt], cost_usd: str
) -> dict[str, object]:
    first = made.parts[0]
    asked = first.choice.request
    return metadata_of(
        made.attempts,
        resolution=asked.resolution,
        warnings=warnings,
        model=asked.model,
        operation=asked.operation,
        policy=first.plan.objective_name,
        winners=winners,
        cost_usd=cost_usd,
        images=[(image, part.winner) for part in made.parts for image in part.images],
    )


def not_made(failed: NotMadeError, order: Order) -> ApiError:
    """What the caller is told when there is no image at all."""
    verdict, plan = failed.verdict, failed.plan
    headers = headers_of(failed.attempts, simulated=failed.simulated, model=plan.model)
    if verdict.retry_after is not None:
        headers["retry-after"] = str(verdict.retry_after)
    if verdict.should_retry is not None:
        headers["x-should-retry"] = "true" if verdict.should_retry else "false"
    return ApiError(
        verdict.status,
        verdict.message,
        type=verdict.type,
        param=verdict.param,
        code=verdict.code,
        headers=headers,
        metadata=metadata_of(
            failed.attempts,
            resolution=plan.resolution,
            warnings=order.choices[0].warnings,
            model=plan.model,
            operation=plan.operation,
            policy=plan.objective_name,
        ),
    )
