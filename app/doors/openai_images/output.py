"""Output: what a body says about the answer: format, compression, background, URL or base64, stream, exact size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.doors.openai_images.errors import ParameterError, shown
from app.doors.openai_images.fields import Fields
from providers.spec.request import OutputFormat
from providers.spec.result import Warning

MAX_PARTIAL_IMAGES = 3
"""Upper limit of ``partial_images`` in OpenAI's API reference."""

_FORMATS: Mapping[str, OutputFormat] = {**{format.value: format for format in OutputFormat}, "jpg": OutputFormat.JPEG}
_COMPRESSIBLE = frozenset({OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.AVIF})


class ResponseFormat(StrEnum):
    """How an image is handed over."""

    B64_JSON = "b64_json"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Output:
    """How the caller wants the images."""

    format: OutputFormat | None = None
    compression: int | None = None
    """0 to 100."""
    transparent: bool = False
    response_format: ResponseFormat | None = None
    """None: not said; what the model's name lets expect decides."""
    stream: bool = False
    partial_images: int = 0
    exact: bool = False
    """The pixels of ``size`` are to be met exactly."""
    warnings: tuple[Warning, ...] = ()


def take_output(fields: Fields) -> Output:
    """Take everything about the answer out of ``fields``. Raises ParameterError."""
    format = _format(fields)
    compression = fields.integer(0, 100, "output_compression", "outputCompression")
    transparent = fields.choice(("auto", "opaque", "transparent"), "background") == "transparent"
    said = fields.choice(tuple(ResponseFormat), "response_format", "responseFormat")
    response_format = None if said is None else ResponseFormat(said)
    stream = bool(fields.flag("stream"))
    partial_images = fields.integer(0, MAX_PARTIAL_IMAGES, "partial_images", "partialImages") or 0
    exact = fields.choice(("exact", "auto", "none"), "resize") == "exact"
    if stream and response_format is ResponseFormat.URL:
        raise ParameterError(
            "response_format", "A stream carries images as b64_json: leave response_format out.", "unsupported_value"
        )
    warnings: tuple[Warning, ...] = ()
    if partial_images and not stream:
        warnings += (Warning("partial_images", "partial_images has no effect without stream"),)
        partial_images = 0
    if compression is not None and format is not None and format not in _COMPRESSIBLE:
        warnings += (Warning("output_compression", f"output_compression has no effect on {format.value}"),)
        compression = None
    return Output(format, compression, transparent, response_format, stream, partial_images, exact, warnings)


def _format(fields: Fields) -> OutputFormat | None:
    name, value = fields.take("output_format", "outputFormat")
    if value is None:
        return None
    word = value.strip().lower().removeprefix("image/") if isinstance(value, str) else ""
    if word not in _FORMATS:
        code = "unsupported_value" if word in ("svg", "svg+xml") else "invalid_value"
        raise ParameterError(name, f"{name} must be one of {', '.join(OutputFormat)}, not {shown(value)}.", code)
    return _FORMATS[word]
