"""What the gateway answers, as schemas: images, events, plans, figures, errors.

The schemas are open, for an answer may gain a field; the tests close them and hold real answers against them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app.doors.openai_images.sse import Kind
from providers.spec.errors import Fault, Spend
from providers.spec.request import Operation, OutputFormat, Resolution
from routing.health import HealthState
from routing.stats.windows import WINDOW_NAMES

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_TIER: Schema = {"type": ["string", "null"], "enum": [*Resolution, None]}
_OPERATION: Schema = {"type": "string", "enum": list(Operation)}
_FORMAT: Schema = {"type": "string", "enum": list(OutputFormat)}
_USD: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": "USD, as decimal text."}
_SIZE: Schema = {"type": "string", "pattern": "^[0-9]+x[0-9]+$", "description": "What the image really measures."}
_BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
_TIME: Schema = {"type": "integer", "description": "Unix seconds."}


def ref(name: str) -> Schema:
    """A reference to a schema of this document."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Schema, *, optional: Collection[str] = (), description: str = "") -> Schema:
    """An object all of whose members are there but for the optional ones."""
    schema: Schema = {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }
    return {**schema, "description": description} if description else schema


def listed(name: str) -> Schema:
    """OpenAI's shape of a list."""
    return record({"object": {"const": "list"}, "data": {"type": "array", "items": ref(name)}})


def schemas(policies: Collection[str]) -> dict[str, Schema]:
    """Every schema of an answer by name. ``policies`` are the names of the routing policies there are."""
    return {
        "Error": _ERROR,
        "Images": _IMAGES,
        "Image": _IMAGE,
        "Usage": _USAGE,
        "Metadata": _METADATA,
        "Attempt": _ATTEMPT,
        "Warning": record({"parameter": _TEXT, "message": _TEXT}, description="A wish that was not granted in full."),
        **_events(),
        "RoutePlan": _PLAN,
        "Candidate": _CANDIDATE,
        "Rejection": record({"provider": _TEXT, "reason": _TEXT, "parameter": _TEXT_OR_NULL}),
        "Model": _MODEL,
        "ModelList": listed("Model"),
        "Ranking": _ranking(policies),
        "RankingList": listed("Ranking"),
        "Window": _WINDOW,
        "Health": record({"status": {"const": "ok"}}),
        "Readiness": record({"status": {"enum": ["ready", "not ready"]}, "offers": _COUNT}),
    }


_ERROR = record(
    {
        "error": record({"message": _TEXT, "type": _TEXT, "param": _TEXT_OR_NULL, "code": _TEXT_OR_NULL}),
        "metadata": ref("Metadata"),
    },
    optional=("metadata",),
    description="OpenAI's envelope; with metadata where providers were tried.",
)
_IMAGE: Schema = {
    "anyOf": [record({"b64_json": _BASE64}), record({"url": {"type": "string", "format": "uri"}})],
    "description": "The image itself, or a URL that ends.",
}
_USAGE = record(
    {
        "total_tokens": _COUNT,
        "input_tokens": _COUNT,
        "output_tokens": _COUNT,
        "input_tokens_details": record({"text_tokens": _COUNT, "image_tokens": _COUNT}),
        "output_tokens_details": record({"text_tokens": _COUNT, "image_tokens": _COUNT}),
    },
    optional=("output_tokens_details",),
)
_IMAGES = record(
    {
        "created": _TIME,
        "data": {"type": "array", "minItems": 1, "items": ref("Image")},
        "background": {"type": "string", "enum": ["transparent", "opaque"]},
        "output_format": _FORMAT,
        "size": _SIZE,
        "usage": ref("Usage"),
        "metadata": ref("Metadata"),
    },
    optional=("usage",),
)
_METADATA = record(
    {
        "model": _TEXT_OR_NULL,
        "provider": _TEXT_OR_NULL,
        "provider_model": _TEXT_OR_NULL,
        "resolution": _TIER,
        "policy": _TEXT_OR_NULL,
        "cost_usd": _USD,
        "images": {
            "type": "array",
            "items": record({"provider": _TEXT, "size": _SIZE, "output_format": _FORMAT, "bytes": _COUNT}),
        },
        "attempts": {"type": "array", "items": ref("Attempt")},
        "warnings": {"type": "array", "items": ref("Warning")},
    },
    description="Who made it, what it cost, and what was tried.",
)
_ATTEMPT = record(
    {
        "provider": _TEXT,
        "provider_model": _TEXT,
        "outcome": {"type": "string", "enum": ["ok", *Fault]},
        "seconds": {"type": "number", "minimum": 0},
        "spend": {"type": "string", "enum": list(Spend), "description": "Whether the vendor may bill it."},
        "cost_usd": _USD,
        "reason": _TEXT,
        "probe": _FLAG,
        "hedge": _FLAG,
    }
)


def _events() -> dict[str, Schema]:
    """The events of a stream, each the JSON of one ``data`` line."""
    common: Schema = {
        "created_at": _TIME,
        "size": _SIZE,
        "quality": _TEXT,
        "background": {"type": "string", "enum": ["transparent", "opaque"]},
        "output_format": _FORMAT,
        "b64_json": _BASE64,
    }
    partial = {"type": {"enum": [f"{kind}.partial_image" for kind in Kind]}, **common, "partial_image_index": _COUNT}
    completed = {
        "type": {"enum": [f"{kind}.completed" for kind in Kind]},
        **common,
        "usage": ref("Usage"),
        "metadata": ref("Metadata"),
    }
    error = record({"message": _TEXT, "type": _TEXT, "param": _TEXT_OR_NULL, "code": _TEXT_OR_NULL})
    return {
        "PartialImageEvent": record(partial, description="An interim image, whole; never the answer."),
        "CompletedImageEvent": record(
            completed, optional=("metadata",), description="One for each image; metadata is in the last."
        ),
        "ErrorEvent": record(
            {"type": {"const": "error"}, "error": error, "metadata": ref("Metadata")}, optional=("metadata",)
        ),
    }


_PLAN = record(
    {
        "object": {"const": "route_plan"},
        "model": _TEXT,
        "operation": _OPERATION,
        "resolution": _TIER,
        "policy": _TEXT,
        "candidates": {"type": "array", "items": ref("Candidate")},
        "rejected": {"type": "array", "items": ref("Rejection")},
        "warnings": {"type": "array", "items": ref("Warning")},
        "fallback_models": {"type": "array", "items": ref("RoutePlan")},
    },
    optional=("fallback_models",),
    description="What would be tried, in which order and why. Nobody was called.",
)
_CANDIDATE = record(
    {
        "rank": {"type": "integer", "minimum": 1},
        "provider": _TEXT,
        "provider_model": _TEXT,
        "price_usd": _USD,
        "price_parts": {"type": "object", "additionalProperties": _USD},
        "expected_seconds": _NUMBER_OR_NULL,
        "success": _NUMBER_OR_NULL,
        "success_low": _NUMBER_OR_NULL,
        "success_high": _NUMBER_OR_NULL,
        "samples": {"type": "number", "minimum": 0},
        "index": _NUMBER_OR_NULL,
        "reason": _TEXT,
    }
)
_MODEL = record(
    {
        "id": _TEXT,
        "object": {"const": "model"},
        "created": _TIME,
        "owned_by": _TEXT,
        "aliases": {"type": "array", "items": _TEXT},
    }
)
_WINDOW = record(
    {
        "samples": {"type": "number", "minimum": 0},
        **dict.fromkeys(
            ("success", "success_low", "success_high", "p50_s", "p95_s", "p99_s", "ttfb_p50_s"), _NUMBER_OR_NULL
        ),
    }
)


def _ranking(policies: Collection[str]) -> Schema:
    rank = {"type": ["integer", "null"], "minimum": 1}
    return record(
        {
            "provider": _TEXT,
            "model": _TEXT,
            "operation": _OPERATION,
            "resolution": _TIER,
            "price_usd": {**_USD, "type": ["string", "null"]},
            "state": {"type": "string", "enum": list(HealthState)},
            "rank": record(dict.fromkeys(policies, rank)),
            "windows": record(dict.fromkeys(WINDOW_NAMES, ref("Window"))),
        },
        description="An offer's price, state, rank under each policy, and what happened lately.",
    )
