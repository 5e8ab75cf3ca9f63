"""A prediction as JSON, and what it delivers."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from simulator.damage import spoiled_base64, spoiled_size
from simulator.faults import Kind
from simulator.media import Media, Medium
from simulator.paint import Format, Recipe
from simulator.prices import image_price
from simulator.replicate.predictions import Prediction
from simulator.replicate.schema import MODELS, is_flux
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


def keep(prediction: Prediction, media: Media) -> None:
    """Make its pictures fetchable; they are painted when somebody fetches them."""
    order = prediction.order
    if order is None:
        return
    kind = prediction.turn.kind
    recipes = [
        Recipe(
            vendor=Vendor.REPLICATE,
            model=prediction.model,
            size=spoiled_size(kind, order.size),
            format=Format.PNG if kind is Kind.NOT_AN_IMAGE else order.format,
            prompt=order.prompt,
            references=order.references,
            number=number,
            quality=order.quality,
            mark=prediction.turn.dice.mark(),
        )
        for number in range(1, delivered(prediction) + 1)
    ]
    prediction.paths = tuple(
        media.keep(f"{prediction.id}-{each.number}", Medium(each, prediction.turn.strike)) for each in recipes
    )


async def outputs(prediction: Prediction, media: Media, origin: str) -> list[str]:
    """The links of its pictures; data URIs when their base64 is to be broken and they are still there."""
    kind = prediction.turn.kind
    if kind is not Kind.TRUNCATED_BASE64:
        return [origin + path for path in prediction.paths]
    output: list[str] = []
    for path in prediction.paths:
        medium = media.find(path.removeprefix("/media/"))
        if medium is None:
            output.append(origin + path)
            continue
        text = base64.b64encode(await media.paint(medium.recipe)).decode("ascii")
        output.append(f"data:{medium.recipe.format};base64,{spoiled_base64(kind, text)}")
    return output


def outlines(prediction: Prediction, origin: str) -> list[str]:
    """The same for a list of predictions: nothing is painted, and a data URI is only begun."""
    broken = prediction.turn.kind is Kind.TRUNCATED_BASE64
    return ["data:image/unknown;base64,..." if broken else origin + path for path in prediction.paths]


def told(prediction: Prediction, origin: str, links: list[str]) -> dict[str, Any]:
    """The prediction object; ``links`` are those of its pictures."""
    root = f"{origin}/replicate/v1/predictions/{prediction.id}"
    ended = prediction.ended
    body: dict[str, Any] = {
        "id": prediction.id,
        "model": prediction.model,
        "version": "hidden",
        "input": prediction.input,
        "logs": "",
        "output": _output(prediction, links),
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
            metrics["image_count"] = metrics["image_output_count"] = delivered(prediction)
            if prediction.order is not None and "resolution" in MODELS[prediction.model]:
                metrics["resolution"] = prediction.order.tier.value
        body["metrics"] = metrics
    return body


def _output(prediction: Prediction, links: list[str]) -> Any:
    """One link, or a list of them for FLUX; null while there is nothing."""
    if not prediction.made or prediction.turn.kind is Kind.NO_IMAGE:
        return None
    if is_flux(prediction.model):
        return links
    return links[0] if links else None
