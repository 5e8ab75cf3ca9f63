"""The generateContent body: an ImageRequest in Google's words.

Field reference: https://ai.google.dev/api/generate-content and the Vertex AI REST reference of the same method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.spec.blob import Blob
from providers.spec.conversation import AsBase64
from providers.spec.request import ImageRequest
from providers.spec.result import Warning

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


def generate_content(
    request: ImageRequest, schema: Schema, *, output_mime_type: str | None = None
) -> dict[str, object]:
    """The body of one generateContent call that makes one image.

    ``output_mime_type`` is for Vertex AI, the only one of the two that can be asked for a format.
    ``candidateCount`` is never sent: every image model refuses more than one, and one is the default.
    """
    body: dict[str, object] = {
        "contents": [{"role": "user", "parts": [*map(_image_part, request.images), {"text": request.prompt}]}],
        "generationConfig": _generation_config(request, schema, output_mime_type),
    }
    system_prompt = request.extras.get("system_prompt")
    if isinstance(system_prompt, str) and system_prompt:
        body["systemInstruction"] = {"parts": [{"text": system_prompt}]}
    if request.web_search:
        body["tools"] = [{"googleSearch": {}}]
    return body


def unmet_wishes(request: ImageRequest, schema: Schema) -> tuple[Warning, ...]:
    """What the request asked for and the body cannot say."""
    warnings = []
    if request.extras.get("negative_prompt"):
        warnings.append(Warning("negative_prompt", "this provider takes no negative prompt; it was ignored"))
    if request.thinking is not None and not schema.thinking:
        warnings.append(Warning("thinking_level", "this provider's model has no thinking levels; it was ignored"))
    return tuple(warnings)


def _image_part(blob: Blob) -> dict[str, object]:
    # Images go before the text: the order Google's own guides use for edits.
    return {"inlineData": {"mimeType": blob.media_type or UNKNOWN_INPUT_TYPE, "data": AsBase64(blob)}}


def _generation_config(request: ImageRequest, schema: Schema, output_mime_type: str | None) -> dict[str, object]:
    # TEXT is asked for besides IMAGE because a model that will not draw then says why; with IMAGE alone the same
    # reply is an empty one.
    config: dict[str, object] = {"responseModalities": ["TEXT", "IMAGE"]}
    if image_config := _image_config(request, schema, output_mime_type):
        config["imageConfig"] = image_config
    if request.seed is not None:
        config["seed"] = _int32(request.seed)
    if request.thinking is not None and schema.thinking:
        config["thinkingConfig"] = {"thinkingLevel": request.thinking.upper()}
    return config


def _image_config(request: ImageRequest, schema: Schema, output_mime_type: str | None) -> dict[str, object]:
    config: dict[str, object] = {}
    if request.aspect_ratio is not None:
        config["aspectRatio"] = request.aspect_ratio
    if request.resolution is not None and schema.image_size:
        # Exactly "512", "1K", "2K", "4K": our own spelling. "512px" is taken for 1K and "0.5K" is refused (reported).
        config["imageSize"] = request.resolution.value
    if output_mime_type is not None:
        config["imageOutputOptions"] = {"mimeType": output_mime_type}
    return config


def _int32(seed: int) -> int:
    """The seed as the 32-bit number Google's field holds; a longer one is folded, the same way every time."""
    return seed if -INT32_MAX - 1 <= seed <= INT32_MAX else seed & INT32_MAX
