"""generateContent answers: pictures, thoughts, refusals and empty hands."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from simulator.damage import spoiled_base64, spoiled_bytes, spoiled_size
from simulator.faults import Kind
from simulator.google.models import GoogleModel
from simulator.google.order import Order
from simulator.media import Media
from simulator.paint import Format, Recipe
from simulator.prices import GOOGLE_SEARCH_QUERY, image_price, input_price
from simulator.vendors import Vendor
from simulator.world import Turn

SIGNATURE = base64.b64encode(b"a thought kept for the next turn").decode()
EMPTY_HANDED = frozenset({Kind.REFUSAL, Kind.NO_IMAGE, Kind.SHORT_COUNT, Kind.FLAGGED_BLACK})
"""Kinds that end without a picture the vendor could bill."""
THOUGHT_PICTURES = 2
"""Interim pictures of a model that shows its thoughts; up to two are reported."""
INPUT_IMAGE_TOKENS = 1120
"""Per input image; what Vertex states for gemini-3.1-flash-image, taken for all (unverified elsewhere)."""


def bill(vendor: Vendor, model: GoogleModel, order: Order, kind: Kind | None) -> tuple[int, Decimal]:
    """Images delivered and USD billed for a finished call."""
    if kind in EMPTY_HANDED or not order.wants_image:
        return 0, Decimal(0)
    extra = GOOGLE_SEARCH_QUERY if order.search else Decimal(0)
    inputs = input_price(vendor, model.family) * len(order.references)
    return 1, image_price(vendor, model.family, order.tier) + inputs + extra


def recipe_of(vendor: Vendor, model_id: str, order: Order, kind: Kind | None, mark: str) -> Recipe:
    """The picture this order gets, spoiled as the fault wants."""
    return Recipe(
        vendor=vendor,
        model=model_id,
        size=spoiled_size(kind, order.size),
        format=order.format,
        prompt=order.prompt,
        references=order.references,
        black=kind is Kind.FLAGGED_BLACK,
        quality=order.quality,
        mark=mark,
    )


async def answer(
    media: Media, vendor: Vendor, model_id: str, model: GoogleModel, order: Order, turn: Turn
) -> dict[str, Any]:
    """The whole GenerateContentResponse."""
    kind = turn.kind
    hit = turn.strike.hit if turn.strike else 0
    body: dict[str, Any] = {}
    if kind is Kind.REFUSAL and hit % 2:
        body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
    elif kind is Kind.SHORT_COUNT:
        body["candidates"] = []
    elif kind is Kind.REFUSAL:
        message = "The image was withheld because it may go against the use policy."
        candidate = {"content": {"role": "model"}, "finishReason": "IMAGE_SAFETY", "finishMessage": message, "index": 0}
        body["candidates"] = [candidate]
    elif kind is Kind.NO_IMAGE and hit % 2 == 0:
        body["candidates"] = [{"finishReason": "NO_IMAGE", "index": 0}]
    elif kind is Kind.NO_IMAGE or not order.wants_image:
        body["candidates"] = [_candidate([{"text": "Which picture do you have in mind?"}], "STOP")]
    else:
        parts = await _picture_parts(media, recipe_of(vendor, model_id, order, kind, turn.dice.mark()), order, turn)
        body["candidates"] = [_candidate(parts, "IMAGE_SAFETY" if kind is Kind.FLAGGED_BLACK else "STOP")]
    paid = bill(vendor, model, order, kind)[0] > 0
    if order.search and paid:
        body["candidates"][0]["groundingMetadata"] = {"webSearchQueries": [order.prompt[:100]]}
    body["usageMetadata"] = _usage(vendor, model, order, paid=paid)
    body["modelVersion"] = model_id
    body["responseId"] = turn.dice.token(22)
    if vendor is Vendor.VERTEX:
        body["createTime"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return body


def _candidate(parts: list[dict[str, Any]], reason: str) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}


async def _picture_parts(media: Media, recipe: Recipe, order: Order, turn: Turn) -> list[dict[str, Any]]:
    """Thoughts if wanted, a sentence if wanted, the picture last."""
    kind = turn.kind
    parts: list[dict[str, Any]] = []
    if order.thoughts:
        parts.append({"text": "Placing the subject and the light.", "thought": True})
    drafts = THOUGHT_PICTURES if order.thoughts else 1 if kind is Kind.THOUGHT_FIRST else 0
    for number in range(drafts):
        width, height = recipe.size
        draft = replace(recipe, size=(max(width // 2, 64), max(height // 2, 64)), prompt="a draft", number=number + 2)
        flagged = order.thoughts or (turn.strike is not None and turn.strike.hit % 2 == 0)
        parts.append(await _image_part(media, draft, None) | ({"thought": True} if flagged else {}))
    if order.wants_text:
        parts.append({"text": "Here is your image."})
    parts.append(await _image_part(media, recipe, kind) | {"thoughtSignature": SIGNATURE})
    return parts


async def _image_part(media: Media, recipe: Recipe, kind: Kind | None) -> dict[str, Any]:
    data = spoiled_bytes(kind, await media.paint(recipe))
    mime = Format.PNG if kind is Kind.NOT_AN_IMAGE else recipe.format
    text = spoiled_base64(kind, base64.b64encode(data).decode("ascii"))
    return {"inlineData": {"mimeType": mime.value, "data": text}}


def _usage(vendor: Vendor, model: GoogleModel, order: Order, *, paid: bool) -> dict[str, Any]:
    """Token counts: pictures from Google's table, the rest plausible.

    An answer that is not billed counts no tokens of output or thinking, so that usage and bill tell the same story.
    """
    text = len(order.prompt) // 4 + 1
    images = INPUT_IMAGE_TOKENS * len(order.references)
    out = model.tokens[order.tier] if paid else 0
    thoughts = 0 if model.levels is None or not paid else 900 if order.high_thinking else 108
    details = [{"modality": "TEXT", "tokenCount": text}]
    if images:
        details.append({"modality": "IMAGE", "tokenCount": images})
    usage: dict[str, Any] = {
        "promptTokenCount": text + images,
        "totalTokenCount": text + images + out + thoughts,
        "promptTokensDetails": details,
    }
    if paid:
        usage["candidatesTokenCount"] = out
        usage["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": out}]
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    if vendor is Vendor.VERTEX:
        usage["trafficType"] = "ON_DEMAND"
    return usage


def events(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The same answer as a stream tells it: one part an event, reason and usage at the end."""
    shared: dict[str, Any] = {name: body[name] for name in ("modelVersion", "responseId", "createTime") if name in body}
    candidates = body.get("candidates") or []
    parts = candidates[0].get("content", {}).get("parts", []) if candidates else []
    early = {"promptTokenCount": body["usageMetadata"]["promptTokenCount"]}
    told: list[dict[str, Any]] = [
        {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], "usageMetadata": early, **shared}
        for part in parts
    ]
    last = {name: value for name, value in body.items() if name != "candidates"}
    if candidates:
        final = dict(candidates[0])
        if parts:
            final["content"] = {"role": "model", "parts": [{"text": "", "thoughtSignature": SIGNATURE}]}
        last["candidates"] = [final]
    return [*told, last]
