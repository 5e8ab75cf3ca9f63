"""Answers as this door words them: the success body in pieces, its metadata, and the headers that say who served it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from app.media.verify import Delivered
from providers.spec.request import Operation, Resolution
from providers.spec.result import Usage, Warning
from routing.attempt import Attempt


def success_parts(
    delivered: Delivered, metadata: Mapping[str, object], *, created: int, usage: Usage | None = None
) -> tuple[bytes | memoryview, ...]:
    """The success body in order: JSON up to the image, the image's base64 as it is, JSON after it.

    The base64, up to 27 MB of it, is neither escaped nor copied; reading it is still work for a worker thread.
    ``created`` is in Unix seconds. The body's length is the sum of the parts' lengths. Raises BlobDamagedError when
    the image cannot be read, which a verified one can.
    """
    before: dict[str, object] = {"created": created}
    after: dict[str, object] = {
        "background": "opaque",
        "output_format": delivered.format.value,
        "size": f"{delivered.width}x{delivered.height}",
    }
    if usage is not None:
        after["usage"] = _usage(usage)
    after["metadata"] = metadata
    return (
        json.dumps(before)[:-1].encode("ascii") + b', "data": [{"b64_json": "',
        delivered.blob.base64(),
        b'"}], ' + json.dumps(after)[1:].encode("ascii"),
    )


def _usage(usage: Usage) -> dict[str, object]:
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
    warnings: Iterable[Warning] = (),
    model: str | None = None,
    operation: Operation = Operation.GENERATE,
    policy: str | None = None,
    winner: Attempt | None = None,
) -> dict[str, object]:
    """What the gateway did, for the body of an answer or an error.

    ``winner`` is the attempt whose image is answered, where several may have delivered. ``policy`` is the name of the
    routing policy that was followed. ``model`` is the public name; left out, the one that was tried. ``provider`` and
    ``provider_model`` are null when nobody delivered. ``cost_usd`` is what the caller is charged, once: the cost of the
    winner, or nothing. What other attempts cost stands with each of them.
    """
    winner = winner or _winner(attempts)
    return {
        "model": model or _tried_model(attempts),
        "provider": winner.offer.provider if winner else None,
        "provider_model": _vendor_id(winner, operation) if winner else None,
        "resolution": resolution.value if resolution else None,
        "policy": policy,
        "cost_usd": amount(winner.cost if winner else Decimal(0)),
        "attempts": [
            {
                "provider": attempt.offer.provider,
                "provider_model": _vendor_id(attempt, operation),
                "outcome": attempt.outcome,
                "seconds": round(attempt.seconds, 3),
                "spend": attempt.spend.value,
                "cost_usd": amount(attempt.cost),
                "reason": attempt.reason,
                "probe": attempt.probe,
                "hedge": attempt.hedge,
            }
            for attempt in attempts
        ],
        "warnings": [{"parameter": warning.parameter, "message": warning.message} for warning in warnings],
    }


def headers_of(
    attempts: Sequence[Attempt], *, simulated: bool = False, model: str | None = None, winner: Attempt | None = None
) -> dict[str, str]:
    """The ``x-gateway-*`` headers. ``simulated``: a vendor that was tried is a pretended one.

    ``x-gateway-provider`` is there only when a provider delivered, ``x-gateway-model`` only when a model is known.
    """
    winner = winner or _winner(attempts)
    name = model or _tried_model(attempts)
    headers = {
        "x-gateway-attempts": str(len(attempts)),
        "x-gateway-cost-usd": amount(winner.cost if winner else Decimal(0)),
    }
    if winner:
        headers["x-gateway-provider"] = winner.offer.provider
    if name:
        headers["x-gateway-model"] = name
    if simulated:
        headers["x-gateway-simulated"] = "true"
    return headers


def amount(usd: Decimal) -> str:
    """An amount in plain decimal notation: no exponent, no trailing zeros; ``0`` for nothing."""
    text = format(usd, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _winner(attempts: Sequence[Attempt]) -> Attempt | None:
    return next((attempt for attempt in attempts if attempt.fault is None), None)


def _tried_model(attempts: Sequence[Attempt]) -> str | None:
    return attempts[0].offer.model if attempts else None


def _vendor_id(attempt: Attempt, operation: Operation) -> str:
    model = attempt.offer.provider_model
    return model.edit_id if operation is Operation.EDIT and model.edit_id else model.id
