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
    """How many pictures the job is billed for. Filtered (black) ones come all the same, and count for nothing."""
    return 0 if job.turn.kind is Kind.FLAGGED_BLACK else _pictures(job)


def _pictures(job: Job) -> int:
    if job.order is None or job.failure is not None or job.cancelled:
        return 0
    return job.order.count - 1 if job.turn.kind is Kind.SHORT_COUNT else job.order.count


def billed(job: Job) -> Decimal:
    """USD for a job that ended."""
    if job.order is None:
        return Decimal(0)
    return job.order.price(MODELS[job.endpoint].family, delivered(job))


def billable_units(job: Job) -> str:
    """Units of the model's base price, as fal's header counts them; the unit is unverified."""
    if job.order is None:
        return "0"
    base = image_price(Vendor.FAL, MODELS[job.endpoint].family, Tier.ONE)
    return f"{(billed(job) / base).normalize():f}"


def keep(job: Job, media: Media) -> None:
    """Make the pictures of a job that ended fetchable; they are painted when somebody fetches them."""
    order = job.order
    if order is None:
        return
    kind = job.turn.kind
    recipes = [
        Recipe(
            vendor=Vendor.FAL,
            model=job.endpoint,
            size=spoiled_size(kind, order.size),
            format=Format.PNG if kind is Kind.NOT_AN_IMAGE else order.format,
            prompt=order.prompt,
            references=order.references,
            number=number,
            black=kind is Kind.FLAGGED_BLACK,
            mark=job.turn.dice.mark(),
        )
        for number in range(1, _pictures(job) + 1)
    ]
    name = job.id.replace("-", "")
    job.paths = tuple(media.keep(f"{name}-{each.number}", Medium(each, job.turn.strike)) for each in recipes)


async def output(job: Job, order: Order, media: Media, origin: str) -> dict[str, Any]:
    """The model's output."""
    kind = job.turn.kind
    images = [await _image(job, order, path, media, origin) for path in job.paths]
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


async def _image(job: Job, order: Order, path: str, media: Media, origin: str) -> dict[str, Any]:
    """One picture: a link, or a data URI while the picture is still there."""
    kind = job.turn.kind
    size = spoiled_size(kind, order.size)
    medium = media.find(path.removeprefix("/media/")) if order.sync or kind in IN_THE_BODY else None
    format_ = Format.PNG if kind is Kind.NOT_AN_IMAGE else order.format
    url = origin + path
    if medium is not None:
        data = spoiled_bytes(kind, await media.paint(medium.recipe))
        url = f"data:{format_};base64,{spoiled_base64(kind, base64.b64encode(data).decode('ascii'))}"
    linked = medium is None
    return {
        "url": url,
        "content_type": format_.value,
        "file_name": path.rpartition("/")[2] if linked else None,
        "file_size": None,
        "width": size[0] if linked else None,
        "height": size[1] if linked else None,
    }
