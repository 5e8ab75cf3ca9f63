"""The request's fields as proto3 JSON reads them: camel or snake case, mixed; unknown ones are an error."""

from __future__ import annotations

import re
from typing import Any

from simulator.google.errors import invalid, unknown_field
from simulator.vendors import Vendor

ANY: dict[str, Any] = {"*": None}
"""A message whose inside is not looked at."""

_PART: dict[str, Any] = {
    "text": None,
    "inlineData": {"mimeType": None, "data": None, "displayName": None},
    "fileData": {"mimeType": None, "fileUri": None, "displayName": None},
    "thought": None,
    "thoughtSignature": None,
    "functionCall": ANY,
    "functionResponse": ANY,
    "executableCode": ANY,
    "codeExecutionResult": ANY,
    "videoMetadata": ANY,
    "mediaResolution": ANY,
}
_CONTENT: dict[str, Any] = {"role": None, "parts": [_PART]}
_IMAGE_CONFIG: dict[str, Any] = {"aspectRatio": None, "imageSize": None}
_VERTEX_IMAGE_CONFIG: dict[str, Any] = {
    **_IMAGE_CONFIG,
    "personGeneration": None,
    "prominentPeople": None,
    "imageOutputOptions": {"mimeType": None, "compressionQuality": None},
}
_GENERATION: dict[str, Any] = dict.fromkeys(
    (
        "candidateCount", "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "seed", "presencePenalty",
        "frequencyPenalty", "responseLogprobs", "logprobs", "responseMimeType", "mediaResolution",
    )
) | {
    "responseModalities": None,
    "responseSchema": ANY,
    "responseJsonSchema": ANY,
    "speechConfig": ANY,
    "thinkingConfig": {"includeThoughts": None, "thinkingBudget": None, "thinkingLevel": None},
}  # fmt: skip
_SAFETY: dict[str, Any] = {"category": None, "threshold": None}
_SEARCH: dict[str, Any] = {"searchTypes": {"webSearch": ANY, "imageSearch": ANY}}
_COMMON: dict[str, Any] = {
    "contents": [_CONTENT],
    "systemInstruction": _CONTENT,
    "toolConfig": ANY,
    "cachedContent": None,
}


def _tools(extras: tuple[str, ...]) -> list[dict[str, Any]]:
    search = _SEARCH | dict.fromkeys(extras, ANY)
    return [{"googleSearch": search, "functionDeclarations": [ANY], "codeExecution": ANY, "urlContext": ANY}]


SCHEMAS: dict[Vendor, dict[str, Any]] = {
    # Fields: https://ai.google.dev/api/generate-content and the aiplatform v1 discovery document.
    Vendor.GEMINI: _COMMON
    | {
        "model": None,
        "serviceTier": None,
        "store": None,
        "safetySettings": [_SAFETY],
        "tools": _tools(("timeRangeFilter",)),
        "generationConfig": _GENERATION | {"imageConfig": _IMAGE_CONFIG},
    },
    Vendor.VERTEX: _COMMON
    | {
        "labels": ANY,
        "modelArmorConfig": ANY,
        "safetySettings": [_SAFETY | {"method": None}],
        "tools": _tools(("excludeDomains", "blockingConfidence")),
        "generationConfig": _GENERATION | {"imageConfig": _VERTEX_IMAGE_CONFIG},
    },
}


def camel(name: str) -> str:
    """``image_size`` as ``imageSize``; a name without underscores stays."""
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)


def snake(name: str) -> str:
    """``imageSize`` as ``image_size``."""
    return re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def normalised(value: Any, schema: Any, path: str = "") -> Any:
    """The body with every known key in camel case and nulls left out. GoogleError 400 for an unknown key or shape."""
    if schema is None or schema is ANY:
        return value
    if isinstance(schema, list):
        items = value if isinstance(value, list) else [value]
        return [normalised(item, schema[0], f"{path}[{place}]") for place, item in enumerate(items)]
    if not isinstance(value, dict):
        raise invalid(f"Invalid value at '{path or 'request'}': an object is expected.")
    result: dict[str, Any] = {}
    for name, item in value.items():
        known = camel(name)
        if known not in schema:
            raise unknown_field(name[:200], path)
        if item is not None:
            result[known] = normalised(item, schema[known], f"{path}.{snake(known)}" if path else snake(known))
    return result
