"""The generateContent body: an ImageRequest in Google's words.

Field reference: https://ai.google.dev/api/generate-content and the Vertex AI REST reference of the same method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.spec.blob import Blob
from providers.spec.conversation import AsBase64
from providers.spec.request import ImageRequest, Safety

INT32_MAX = 2**31 - 1
UNKNOWN_INPUT_TYPE = "image/png"
"""Stated for an input image of unknown type: Google refuses a part without one, and looks at the bytes itself."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What one generation of Google's image models can be asked for."""

    image_size: bool
    """Takes ``imageConfig.imageSize``. The 2.5 model knows one size only and is not asked."""
    thinking: bool
    """Takes ``thinkingConfig``. The 2.5 model answers it with 400 (reported, not seen by us)."""


SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "gemini-3-image": Schema(image_size=True, thinking=True),
        "gemini-2.5-image": Schema(image_size=False, thinking=False),
    }
)
"""Input schemas by the name configuration uses."""


HARMS = (
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
)
"""Categories of ``safetySettings`` that both services take (https://ai.google.dev/api/generate-content#harmcategory).
The fifth, CIVIC_INTEGRITY, is deprecated; Vertex AI has more of its own."""

THRESHOLDS: Mapping[Safety, str] = MappingProxyType(
    {Safety.STRICT: "BLOCK_LOW_AND_ABOVE", Safety.RELAXED: "BLOCK_ONLY_HIGH"}
)
"""Probability from which content is blocked. The standard level is the model's own and is not sent."""


def generate_content(
    request: ImageRequest,
    schema: Schema,
    *,
    output_options: Mapping[str, object] | None = None,
    uploaded: Mapping[int, str] | None = None,
) -> dict[str, object]:
    """The body of one generateContent call that makes one image.

    ``output_options`` is for Vertex AI, the only one of the two that can be asked for a format. ``uploaded`` holds the
    URIs of input images that were handed over before, by their place; the others go inline. ``candidateCount`` is never
    sent: every image model refuses more than one, and one is the default.
    """
    parts: list[dict[str, object]] = [{"text": request.prompt}]
    if request.images:
        uploaded = uploaded or {}
        # Images go before the text: the order Google's own guides use for edits.
        parts[:0] = [_image_part(blob, uploaded.get(place)) for place, blob in enumerate(request.images)]
    body: dict[str, object] = {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": _generation_config(request, schema, output_options),
    }
    if request.system_prompt:
        body["systemInstruction"] = {"parts": [{"text": request.system_prompt}]}
    if request.web_search or request.image_search:
        body["tools"] = [{"googleSearch": _search(request)}]
    if request.safety is not None and (threshold := THRESHOLDS.get(request.safety)):
        body["safetySettings"] = [{"category": harm, "threshold": threshold} for harm in HARMS]
    return body


def stated_type(blob: Blob) -> str:
    """Media type to state for an input image."""
    return blob.media_type or UNKNOWN_INPUT_TYPE


def shows_thoughts(request: ImageRequest, schema: Schema) -> bool:
    """Whether interim images are wanted of a model that makes some."""
    return request.partial_images > 0 and schema.thinking


def _image_part(blob: Blob, uri: str | None) -> dict[str, object]:
    if uri is not None:
        return {"fileData": {"mimeType": stated_type(blob), "fileUri": uri}}
    return {"inlineData": {"mimeType": stated_type(blob), "data": AsBase64(blob)}}


def _search(request: ImageRequest) -> dict[str, object]:
    """An empty object is a search of the web. Kinds are named only where images are searched, each by an empty object
    (https://ai.google.dev/api/caching#GoogleSearch)."""
    if not request.image_search:
        return {}
    return {"searchTypes": {**({"webSearch": {}} if request.web_search else {}), "imageSearch": {}}}


def _generation_config(
    request: ImageRequest, schema: Schema, output_options: Mapping[str, object] | None
) -> dict[str, object]:
    # TEXT is asked for besides IMAGE because a model that will not draw then says why; with IMAGE alone the same
    # reply is an empty one.
    config: dict[str, object] = {"responseModalities": ["TEXT", "IMAGE"]}
    if image_config := _image_config(request, schema, output_options):
        config["imageConfig"] = image_config
    if request.seed is not None:
        config["seed"] = _int32(request.seed)
    if schema.thinking and (request.partial_images > 0 or request.thinking is not None):
        thinking: dict[str, object] = {}
        if shows_thoughts(request, schema):
            thinking["includeThoughts"] = True
        if request.thinking is not None:
            thinking["thinkingLevel"] = request.thinking.upper()
        config["thinkingConfig"] = thinking
    return config


def _image_config(
    request: ImageRequest, schema: Schema, output_options: Mapping[str, object] | None
) -> dict[str, object]:
    config: dict[str, object] = {}
    if request.aspect_ratio is not None:
        config["aspectRatio"] = request.aspect_ratio
    if request.resolution is not None and schema.image_size:
        # Exactly "512", "1K", "2K", "4K": our own spelling. "512px" is taken for 1K and "0.5K" is refused (reported).
        config["imageSize"] = str(request.resolution)
    if output_options is not None:
        config["imageOutputOptions"] = output_options
    return config


def _int32(seed: int) -> int:
    """The seed as the 32-bit number Google's field holds; a longer one is folded, the same way every time."""
    return seed if -INT32_MAX - 1 <= seed <= INT32_MAX else seed & INT32_MAX
