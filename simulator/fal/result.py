"""What a fal job delivers: links to pictures, or the pictures themselves."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from simulator.damage import spoiled_base64, spoiled_bytes, spoiled_size
from simulator.fal.queue import Job
from simulator.fal.schema import MODELS, Order
from simulator.faults import Kind
from simulator.media import Media, Medium
from simulator.paint import Format, Recipe
from simulator.prices import image_price
from simulator.vendors import Tier, Vendor

IN_THE_BODY = frozenset({Kind.TRUNCATED_BASE64})
"""Kinds for which the picture comes as a data URI even when a link was asked for."""


def delivered(job: Job) -> int:
    """How many pictures the job ends with."""
    if job.order is None or job.failure is not None or job.cancelled:
        return 0
    return job.order.count - 1 if job.turn.kind is Kind.SHORT_COUNT else job.order.count


def billed(job: Job) -> Decimal:
    """USD for a job that ended; a filtered (black) picture is not billed."""
    if job.order is None or job.turn.kind is Kind.FLAGGED_BLACK:
        return Decimal(0)
    return job.order.price(MODELS[job.endpoint].family, delivered(job))


def billable_units(job: Job) -> str:
    """Units of the model's base price, as fal's header counts them; the unit is unverified."""
    if job.order is None:
        return "0"
    base = image_price(Vendor.FAL, MODELS[job.endpoint].family, Tier.ONE)
    return f"{(billed(job) / base).normalize():f}"


async def output(job: Job, order: Order, media: Media, origin: str) -> dict[str, Any]:
    """The model's output."""
    kind = job.turn.kind
    images = [await _image(job, order, number, media, origin) for number in range(1, delivered(job) + 1)]
    flagged = kind is Kind.FLAGGED_BLACK
    if MODELS[job.endpoint].flux:
        seed = order.seed if order.seed is not None else int(job.turn.dice.token(9, "0123456789"))
        return {
            "images": images,
            "timings": {"inference": round(job.working, 3)},
            "seed": seed,
            "has_nsfw_concepts": [flagged] * len(images),
            "prompt": order.prompt,
        }
    result: dict[str, Any] = {"images": images, "description": ""}
    return result | {"has_nsfw_concepts": [True] * len(images)} if flagged else result


async def _image(job: Job, order: Order, number: int, media: Media, origin: str) -> dict[str, Any]:
    kind = job.turn.kind
    recipe = Recipe(
        vendor=Vendor.FAL,
        model=job.endpoint,
        size=spoiled_size(kind, order.size),
        format=Format.PNG if kind is Kind.NOT_AN_IMAGE else order.format,
        prompt=order.prompt,
        references=order.references,
        number=number,
        black=kind is Kind.FLAGGED_BLACK,
    )
    if order.sync or kind in IN_THE_BODY:
        data = spoiled_bytes(kind, await media.paint(recipe))
        text = spoiled_base64(kind, base64.b64encode(data).decode("ascii"))
        url = f"data:{recipe.format};base64,{text}"
        return {
            "url": url,
            "content_type": recipe.format.value,
            "file_name": None,
            "file_size": None,
            "width": None,
            "height": None,
        }
    name = f"{job.id.replace('-', '')}-{number}"
    path = media.keep(name, Medium(recipe, job.turn.strike))
    return {
        "url": origin + path,
        "content_type": recipe.format.value,
        "file_name": path.rpartition("/")[2],
        "file_size": None,
        "width": recipe.size[0],
        "height": recipe.size[1],
    }
