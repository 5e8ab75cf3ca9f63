"""Delivering: what became of an order, as a response: images, their URLs, or the error the caller is told."""

from __future__ import annotations

import time
from decimal import Decimal

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


async def answered(own: Services, request: Request, order: Order, made: AllMade) -> Response:
    """The answer to an order that is paid for. Whatever goes wrong now, a retry would pay again, and that is said."""
    try:
        return await _success(own, request, order, made)
    except Exception as bug:
        failed = internal_error()
        failed.headers = {"x-should-retry": "false"}
        failed.metadata = _undelivered(made)
        raise failed from bug


def _undelivered(made: AllMade) -> dict[str, object]:
    """The metadata of images that nobody gets: what vendors bill stands with the attempts, the caller pays nothing."""
    return {**metadata_for(made), "cost_usd": amount(Decimal(0)), "images": []}


async def _success(own: Services, request: Request, order: Order, made: AllMade) -> Response:
    told, urls = made.warnings, None
    if order.response_format is ResponseFormat.URL:
        try:
            urls = await hosted(own, request, made)
        except HostingError as failed:
            # The images are paid for: handed over in the other form they are not lost.
            told = (*told, Warning("response_format", f"the images are in b64_json, for {failed}"))
    first = made.parts[0]
    parts = success_parts(
        made.images,
        metadata_for(made, told),
        usage=made.usage,
        created=int(time.time()),
        urls=urls,
        transparent=first.choice.request.transparent,
    )
    return PartsResponse(parts, headers_for(made))


async def hosted(own: Services, request: Request, made: AllMade) -> list[str]:
    """A URL for each image. Raises HostingError, whose text is ours, when one cannot be kept."""
    base_url = origin_of(request)
    return [await own.hosting.keep(image.blob, image.format.media_type, base_url=base_url) for image in made.images]


def metadata_for(made: AllMade, warnings: tuple[Warning, ...] | None = None) -> dict[str, object]:
    """The metadata of an answer. ``warnings`` stand in for those of the making."""
    first = made.parts[0]
    asked = first.choice.request
    return metadata_of(
        made.attempts,
        resolution=asked.resolution,
        warnings=made.warnings if warnings is None else warnings,
        model=asked.model,
        operation=asked.operation,
        policy=first.plan.objective_name,
        winners=made.winners,
        cost=made.cost,
        images=[(image, part.winner) for part in made.parts for image in part.images],
    )


def headers_for(made: AllMade) -> dict[str, str]:
    """The headers of an answer."""
    return headers_of(
        made.attempts,
        simulated=made.simulated,
        model=made.parts[0].choice.request.model,
        winners=made.winners,
        cost=made.cost,
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
