"""Answers as this door words them: the success body in pieces, its metadata, and the headers that say who served it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.as_json import as_json
from app.media.verify import Delivered
from providers.spec.blob import Base64Text
from providers.spec.request import Operation, Resolution
from providers.spec.result import Usage, Warning
from routing.attempt import Attempt


def success_parts(
    images: Sequence[Delivered],
    metadata: Mapping[str, object],
    *,
    created: int,
    usage: Usage | None = None,
    urls: Sequence[str] | None = None,
    transparent: bool = False,
) -> tuple[Base64Text, ...]:
    """The success body in order: JSON up to each image, the image's base64, JSON after it.

    The base64, up to 27 MB an image, is neither escaped nor copied, and encoded only while it is sent. With
    ``urls``, one an image, these stand in its place. ``created`` is in Unix seconds. The body's length is the sum of
    the parts' lengths. Raises BlobDamagedError when an image cannot be read, which a verified one can.
    """
    first = images[0]
    after: dict[str, object] = {
        "background": background_of(transparent=transparent),
        "output_format": str(first.format),
        "size": size_of(first),
    }
    if usage is not None:
        after["usage"] = usage_of(usage)
    after["metadata"] = metadata
    parts: list[Base64Text] = []
    between = b'{"created":%d,"data":[' % created
    if urls is not None:
        between += b",".join(as_json({"url": url}) for url in urls)
    else:
        for image in images:
            parts += [between + b'{"b64_json":"', image.blob.base64()]
            between = b'"},'
        between = b'"}'
    parts.append(between + b"]," + as_json(after)[1:])
    return tuple(parts)


def size_of(image: Delivered) -> str:
    """What the image really measures, as ``WIDTHxHEIGHT``."""
    return f"{image.width}x{image.height}"


def background_of(*, transparent: bool) -> str:
    """The background an image has, resolved; only an offer that can really do it is asked for a transparent one."""
    return "transparent" if transparent else "opaque"


def usage_of(usage: Usage) -> dict[str, object]:
    """OpenAI's usage object for images; the first four fields are the ones its clients require."""
    return {
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "input_tokens_details": {"text_tokens": usage.input_text_tokens, "image_tokens": usage.input_image_tokens},
        "output_tokens_details": {
            "text_tokens": max(0, usage.output_tokens - usage.output_image_tokens),
            "image_tokens": usage.output_image_tokens,
        },
    }


def metadata_of(
    attempts: Sequence[Attempt],
    *,
    resolution: Resolution | None,
    warnings: Sequence[Warning] = (),
    model: str | None = None,
    operation: Operation = Operation.GENERATE,
    policy: str | None = None,
    winners: Sequence[Attempt] = (),
    cost_usd: str = "0",
    images: Sequence[tuple[Delivered, Attempt]] = (),
) -> dict[str, object]:
    """What the gateway did, for the body of an answer or an error.

    ``winners`` are the attempts whose images are answered, none when nobody delivered, and ``images`` these images,
    each with its attempt. ``policy`` is the name of the routing policy that was followed. ``model`` is the public name;
    left out, the one that was tried. ``provider`` and ``provider_model`` are those of the first winner, null without
    one. ``cost_usd`` is what the caller is charged, once, as ``amount`` words it; what other attempts cost stands with
    each of them.
    """
    winner = winners[0] if winners else None
    return {
        "model": model or _tried_model(attempts),
        "provider": winner.offer.provider if winner else None,
        "provider_model": _vendor_id(winner, operation) if winner else None,
        "resolution": str(resolution) if resolution else None,
        "policy": policy,
        "cost_usd": cost_usd,
        "images": [
            {
                "provider": by.offer.provider,
                "size": size_of(image),
                "output_format": str(image.format),
                "bytes": image.length,
            }
            for image, by in images
        ],
        "attempts": [
            {
                "provider": attempt.offer.provider,
                "provider_model": _vendor_id(attempt, operation),
                "outcome": attempt.outcome,
                "seconds": round(attempt.seconds, 3),
                "spend": str(attempt.spend),
                "cost_usd": amount(attempt.cost),
                "reason": attempt.reason,
                "probe": attempt.probe,
                "hedge": attempt.hedge,
            }
            for attempt in attempts
        ],
        "warnings": [{"parameter": each.parameter, "message": each.message} for each in warnings] if warnings else [],
    }


def headers_of(
    attempts: Sequence[Attempt],
    *,
    simulated: bool = False,
    model: str | None = None,
    winners: Sequence[Attempt] = (),
    cost_usd: str = "0",
) -> dict[str, str]:
    """The ``x-gateway-*`` headers. ``simulated``: a vendor that was tried is a pretended one.

    ``x-gateway-provider`` is there only when a provider delivered, with several of them all, ``x-gateway-model`` only
    when a model is known.
    """
    name = model or _tried_model(attempts)
    headers = {"x-gateway-attempts": str(len(attempts)), "x-gateway-cost-usd": cost_usd}
    if winners:
        provider = winners[0].offer.provider
        if len(winners) > 1:
            provider = ", ".join(dict.fromkeys(each.offer.provider for each in winners))
        headers["x-gateway-provider"] = provider
    if name:
        headers["x-gateway-model"] = name
    if simulated:
        headers["x-gateway-simulated"] = "true"
    return headers


def amount(usd: Decimal) -> str:
    """An amount in plain decimal notation: no exponent, no trailing zeros; ``0`` for nothing."""
    text = str(usd)
    if "E" in text:  # a power of ten; otherwise it is the longer way to the same
        text = format(usd, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _tried_model(attempts: Sequence[Attempt]) -> str | None:
    return attempts[0].offer.model if attempts else None


def _vendor_id(attempt: Attempt, operation: Operation) -> str:
    model = attempt.offer.provider_model
    return model.edit_id if model.edit_id and operation is Operation.EDIT else model.id
