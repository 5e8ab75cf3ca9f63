"""Rows of the parity page: for each parameter what a caller writes, and next to what it is compared."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from providers.blobs import MemoryBlob
from tests.unit.app.media.photographs import exif, saved, scene

PROMPT = "a red fox in the snow"
EDGE = 64
"""Pixels of the pictures that are sent and delivered: small, for hundreds of them are encoded."""
LINK = "https://pictures.example/fox.png"


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter, spelt as on the page, and the fields that say it."""

    label: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Fields that both the request and the one it is compared with have."""
    by_provider: bool = False
    """The fields stand under the provider's name in ``provider_options``."""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under one heading."""

    title: str
    rows: tuple[Row, ...]
    edits_only: bool = False
    once: bool = False
    """Told for the default model only: it is the same at every model of a provider, or costs seconds to find out."""


def _said(name: str, *values: Any, **beside: Any) -> tuple[Row, ...]:
    with_others = "".join(f", `{other}: {_shown(value)}`" for other, value in beside.items())
    return tuple(Row(f"`{name}: {_shown(value)}`{with_others}", {name: value}, beside) for value in values)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {_shown(inner)}' for key, inner in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _file(format: str, **options: Any) -> MemoryBlob:
    return MemoryBlob(saved(scene(EDGE, EDGE), format, **options))


def photograph() -> MemoryBlob:
    """A picture that needs nothing done to it."""
    return _file("PNG")


def _mask() -> MemoryBlob:
    mask = Image.new("RGBA", (EDGE, EDGE), "black")
    mask.paste((0, 0, 0, 0), (0, 0, EDGE // 2, EDGE // 2))
    return MemoryBlob(saved(mask, "PNG"))


def _animation() -> MemoryBlob:
    kept = io.BytesIO()
    scene(EDGE, EDGE).save(kept, "WEBP", save_all=True, append_images=[Image.new("RGB", (EDGE, EDGE), "green")])
    return MemoryBlob(kept.getvalue())


def _noise(edge: int) -> MemoryBlob:
    """A PNG of three bytes a pixel, for noise cannot be compressed."""
    noise = Image.frombytes("RGB", (edge, edge), random.Random(1).randbytes(3 * edge * edge))
    return MemoryBlob(saved(noise, "PNG", compress_level=0))


def _images(*labelled: tuple[str, Any]) -> tuple[Row, ...]:
    return tuple(Row(label, {"image": content}) for label, content in labelled)


def sections() -> tuple[Section, ...]:
    """All of them, in the page's order."""
    return (
        Section(
            "Size",
            (
                *_said("size", "1536x1024", "1024x1024", "16:9", "2K", "auto"),
                *_said("aspect_ratio", "16:9", "1:8"),
                *_said("resolution", "512", "2K", "4K"),
                *_said("image_config", {"aspect_ratio": "21:9", "image_size": "2K"}),
                *_said("resize", "exact", size="1000x700"),
            ),
        ),
        Section(
            "Number, format, delivery",
            (
                *_said("n", 4, 10, 11),
                *_said("output_format", "png", "jpeg", "webp", "avif", "gif"),
                *_said("output_compression", 60, output_format="jpeg"),
                *_said("output_compression", 60, output_format="webp"),
                *_said("output_compression", 60, output_format="avif"),
                *_said("output_compression", 60, output_format="png"),
                *_said("background", "opaque", "transparent"),
                *_said("response_format", "b64_json", "url"),
                *_said("stream", True),
                *_said("partial_images", 2, stream=True),
            ),
        ),
        Section(
            "What the model is told beside the prompt",
            (
                *_said("seed", 7),
                *_said("system_prompt", "Paint in oil."),
                *_said("negative_prompt", "people"),
                *_said("thinking_level", "minimal", "medium", "high"),
                *_said("web_search", True),
                *_said("image_search", True),
                *_said("safety", "strict", "standard", "relaxed"),
                *_said("moderation", "auto", "low"),
                Row('`provider_options: {"<provider>": {…}}`', {"a_field_of_its_own": 1}, by_provider=True),
            ),
        ),
        Section(
            "OpenAI's parameters without a counterpart",
            (
                *_said("quality", "auto", "high"),
                *_said("style", "vivid"),
                *_said("input_fidelity", "high"),
                *_said("complexity", "high"),
                *_said("frame_count", 2),
                *_said("user", "u-1"),
                *_said("safety_identifier", "u-1"),
                *_said("markup", "data:image/png;base64,AAAA"),
                Row("any other field", {"no_such_field": 1}),
            ),
        ),
        Section(
            "Input images, on both routes",
            (
                *_images(
                    ("PNG", photograph()),
                    ("JPEG", _file("JPEG")),
                    ("WebP", _file("WEBP")),
                    ("JPEG with an EXIF rotation", _file("JPEG", exif=exif(6))),
                    ("JPEG with EXIF, not rotated", _file("JPEG", exif=exif(1))),
                    ("GIF", _file("GIF")),
                    ("AVIF", _file("AVIF")),
                    ("HEIC", _file("HEIC")),
                    ("BMP", _file("BMP")),
                    ("TIFF", _file("TIFF")),
                    ("animated WebP: the first frame", _animation()),
                    ("SVG", MemoryBlob(b'<svg xmlns="http://www.w3.org/2000/svg"/>')),
                    ("an https URL", LINK),
                    ("a `file_id`", {"file_id": "file-1"}),
                    ("3 images", [photograph()] * 3),
                    ("14 images", [photograph()] * 14),
                    ("16 images", [photograph()] * 16),
                    ("17 images", [photograph()] * 17),
                ),
                Row("`mask`", {"mask": _mask()}),
            ),
            edits_only=True,
        ),
        Section(
            "How an input image is handed over, by its size",
            tuple(
                Row(f"{label} of PNG", {"image": _noise(edge)})
                for label, edge in (("0.1 MB", 180), ("0.5 MB", 400), ("3 MB", 1000), ("9 MB", 1730), ("14 MB", 2160))
            ),
            edits_only=True,
            once=True,
        ),
    )
