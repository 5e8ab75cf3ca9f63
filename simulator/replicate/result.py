"""A prediction as JSON, and what it delivers."""

from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal
from typing import Any

from simulator.damage import spoiled_base64, spoiled_size
from simulator.faults import Kind
from simulator.media import Media, Medium
from simulator.paint import Format, Recipe
from simulator.prices import image_price
from simulator.replicate.predictions import Prediction
from simulator.replicate.schema import is_flux
from simulator.vendors import Vendor


def delivered(prediction: Prediction) -> int:
    """How many pictures it made."""
    kind = prediction.turn.kind
    if prediction.order is None or kind is Kind.NO_IMAGE:
        return 0
    return prediction.order.count - 1 if kind is Kind.SHORT_COUNT else prediction.order.count


def billed(prediction: Prediction) -> Decimal:
    """USD for what it made."""
    if prediction.order is None:
        return Decimal(0)
    family = prediction.model.partition("/")[2]
    return image_price(Vendor.REPLICATE, family, prediction.order.tier) * delivered(prediction)


async def look(prediction: Prediction, media: Media) -> None:
    """Give the pictures their paths, the first time they exist."""
    order = prediction.order
    if not prediction.made or prediction.output is not None or order is None:
        return
    kind = prediction.turn.kind
    output: list[str] = []
    for number in range(1, delivered(prediction) + 1):
        recipe = Recipe(
            vendor=Vendor.REPLICATE,
            model=prediction.model,
            size=spoiled_size(kind, order.size),
            format=Format.PNG if kind is Kind.NOT_AN_IMAGE else order.format,
            prompt=order.prompt,
            references=order.references,
            number=number,
            quality=order.quality,
        )
        if kind is Kind.TRUNCATED_BASE64:
            text = base64.b64encode(await media.paint(recipe)).decode("ascii")
            output.append(f"data:{recipe.format};base64,{spoiled_base64(kind, text)}")
        else:
            output.append(media.keep(f"{prediction.id}-{number}", Medium(recipe, prediction.turn.strike)))
    prediction.output = output
    prediction.order = replace(order, references=())


def told(prediction: Prediction, origin: str) -> dict[str, Any]:
    """The prediction object."""
    root = f"{origin}/replicate/v1/predictions/{prediction.id}"
    ended = prediction.ended
    body: dict[str, Any] = {
        "id": prediction.id,
        "model": prediction.model,
        "version": "hidden",
        "input": prediction.input,
        "logs": "",
        "output": _output(prediction, origin),
        "data_removed": False,
        "error": prediction.error if ended is not None and prediction.status == "failed" else None,
        "status": prediction.status.value,
        "source": "api",
        "created_at": prediction.calendar(prediction.created),
        "urls": {"get": root, "cancel": f"{root}/cancel", "web": f"https://replicate.com/p/{prediction.id}"},
    }
    if prediction.deadline is not None:
        body["deadline"] = prediction.calendar(prediction.deadline)
    if prediction.status != "starting":
        body["started_at"] = prediction.calendar(prediction.starts)
    if ended is not None:
        body["completed_at"] = prediction.calendar(ended)
        metrics: dict[str, Any] = {"total_time": round(ended - prediction.created, 3)}
        if prediction.status != "aborted":
            metrics["predict_time"] = round(max(ended - prediction.starts, 0.0), 3)
        if prediction.made:
            metrics["image_count"] = delivered(prediction)
        body["metrics"] = metrics
    return body


def _output(prediction: Prediction, origin: str) -> Any:
    """One link, or a list of them for FLUX; null while there is nothing."""
    if not prediction.made or prediction.turn.kind is Kind.NO_IMAGE:
        return None
    links = [path if path.startswith("data:") else origin + path for path in prediction.output or []]
    if is_flux(prediction.model):
        return links
    return links[0] if links else None
