"""A generateContent request, read and checked."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.google.errors import GoogleError, invalid
from simulator.google.fields import SCHEMAS, normalised
from simulator.google.models import GoogleModel
from simulator.paint import Format, NotAPicture, Reference, read_reference
from simulator.pixels import Size, nearest_ratio
from simulator.vendors import Tier, Vendor

VERTEX_INLINE_BYTES = 7_000_000
"""Largest inline image Vertex takes, after decoding."""
Files = Callable[[str], tuple[bytes, str]]
"""Bytes and type of an uploaded file by its URI. GoogleError when it may not be read."""
HARMS = frozenset(
    f"HARM_CATEGORY_{harm}"
    for harm in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY", "JAILBREAK")
)
VERTEX_HARMS = HARMS | frozenset(
    f"HARM_CATEGORY_IMAGE_{harm}" for harm in ("HATE", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT")
)
THRESHOLDS = frozenset({"OFF", "BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE"})
INPUT_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
OUTPUT_FORMATS = {"image/png": Format.PNG, "image/jpeg": Format.JPEG}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made."""

    prompt: str
    references: tuple[Reference, ...]
    tier: Tier
    ratio: str
    size: Size
    format: Format
    quality: int
    wants_text: bool
    wants_image: bool
    thoughts: bool
    high_thinking: bool
    search: bool


def no_files(_uri: str) -> tuple[bytes, str]:
    """For a vendor that has no files of its own, and here fetches none."""
    raise GoogleError(403, "PERMISSION_DENIED", "The file does not exist or may not be read.")


def read_order(vendor: Vendor, model: GoogleModel, body: Any, files: Files = no_files) -> Order:
    """Check the body as the vendor does. GoogleError 400 for what it refuses. Decodes input images: slow."""
    request = normalised(body, SCHEMAS[vendor])
    contents = request.get("contents")
    if not contents:
        raise invalid("The field 'contents' is missing.")
    generation = request.get("generationConfig", {})
    _check_count(generation)
    modalities = _modalities(generation)
    high, thoughts = _thinking(model, generation.get("thinkingConfig"))
    search = _search(model, request.get("tools", []))
    _check_safety(vendor, request.get("safetySettings", []))
    _check_instruction(request.get("systemInstruction"))
    prompt, references = _parts(vendor, model, contents, files)
    image = generation.get("imageConfig", {})
    tier = _tier(model, image.get("imageSize"))
    ratio = _ratio(model, image.get("aspectRatio"), references)
    format_, quality = _output(vendor, model, image.get("imageOutputOptions", {}))
    return Order(
        prompt=prompt,
        references=references,
        tier=tier,
        ratio=ratio,
        size=model.size(ratio, tier),
        format=format_,
        quality=quality,
        wants_text="TEXT" in modalities,
        wants_image="IMAGE" in modalities,
        thoughts=thoughts,
        high_thinking=high,
        search=search,
    )


def _check_count(generation: dict[str, Any]) -> None:
    count = generation.get("candidateCount", 1)
    if not isinstance(count, int) or count < 1:
        raise invalid()
    if count > 1:
        raise invalid("Multiple candidates is not enabled for this model")


def _check_safety(vendor: Vendor, settings: list[dict[str, Any]]) -> None:
    known = {"category": VERTEX_HARMS if vendor is Vendor.VERTEX else HARMS, "threshold": THRESHOLDS}
    for place, setting in enumerate(settings):
        for name, values in known.items():
            value = setting.get(name)
            if not isinstance(value, str) or value not in values:
                raise invalid(f"Invalid value at 'safety_settings[{place}].{name}': {str(value)[:100]}")


def _check_instruction(instruction: dict[str, Any] | None) -> None:
    """A system instruction is text (https://ai.google.dev/api/generate-content#request-body)."""
    if instruction is not None:
        parts = instruction.get("parts", [])
        if not parts or not all(isinstance(part.get("text"), str) for part in parts):
            raise invalid("Developer instruction must be text.")


def _modalities(generation: dict[str, Any]) -> frozenset[str]:
    asked = generation.get("responseModalities", ["TEXT", "IMAGE"])
    if not isinstance(asked, list) or not asked or not all(isinstance(item, str) for item in asked):
        raise invalid()
    modalities = frozenset(item.upper() for item in asked)
    if not modalities <= {"TEXT", "IMAGE"}:
        raise invalid()
    return modalities


def _thinking(model: GoogleModel, config: dict[str, Any] | None) -> tuple[bool, bool]:
    """Whether it thinks hard, and whether it shows its thoughts."""
    if config is None:
        return False, False
    if model.levels is None:
        raise invalid("Thinking is not enabled for this model")
    level = config.get("thinkingLevel")
    if level is not None:
        if "thinkingBudget" in config:
            raise invalid("thinking_budget and thinking_level cannot be given together.")
        if not isinstance(level, str) or level.upper() not in model.levels:
            raise invalid(f"Thinking level {str(level)[:100]} is not supported for this model.")
    return str(level).upper() == "HIGH", config.get("includeThoughts") is True


def _search(model: GoogleModel, tools: list[dict[str, Any]]) -> bool:
    used = False
    for tool in tools:
        if "googleSearch" not in tool:
            continue
        kinds = tool["googleSearch"].get("searchTypes", {"webSearch": {}})
        if not all(isinstance(kind, dict) for kind in kinds.values()):
            raise invalid("Invalid value at 'tools[0].google_search.search_types': an object is expected.")
        wanted = {"web" if kind == "webSearch" else "image" for kind in kinds} or {"web"}
        if not wanted <= model.searches:
            raise invalid("Search as tool is not enabled for this model.")
        used = True
    return used


def _parts(
    vendor: Vendor, model: GoogleModel, contents: list[dict[str, Any]], files: Files
) -> tuple[str, tuple[Reference, ...]]:
    texts: list[str] = []
    pictures: list[bytes] = []
    for content in contents:
        role = content.get("role")
        if role not in ("user", "model") and (role is not None or vendor is Vendor.VERTEX):
            raise invalid("Please use a valid role: user, model.")
        if role == "model":
            continue
        for part in content.get("parts", []):
            if isinstance(part.get("text"), str):
                texts.append(part["text"])
            elif "inlineData" in part:
                pictures.append(_inline(vendor, part["inlineData"]))
            elif "fileData" in part:
                pictures.append(_file(part["fileData"], files))
    if not texts and not pictures:
        raise invalid("The contents have no parts with data.")
    if len(pictures) > model.most_inputs:
        raise invalid(f"At most {model.most_inputs} input images are supported for this model.")
    try:
        return "\n".join(texts), tuple(read_reference(data, first=place == 0) for place, data in enumerate(pictures))
    except NotAPicture:
        raise invalid("Unable to process input image. Please retry or report the problem.") from None


def _file(named: dict[str, Any], files: Files) -> bytes:
    uri, mime = named.get("fileUri"), named.get("mimeType")
    if not isinstance(uri, str) or not uri:
        raise invalid("The field 'file_data.file_uri' is missing.")
    data, own_type = files(uri)
    stated = mime or own_type
    if not isinstance(stated, str) or stated not in INPUT_TYPES:
        raise invalid(f"Unsupported MIME type: {str(stated)[:100]}")
    return data


def _inline(vendor: Vendor, blob: dict[str, Any]) -> bytes:
    mime = blob.get("mimeType")
    if not isinstance(mime, str) or mime not in INPUT_TYPES:
        raise invalid(f"Unsupported MIME type: {str(mime)[:100]}")
    text = blob.get("data")
    if not isinstance(text, str):
        raise invalid("Invalid value at 'inline_data.data' (TYPE_BYTES).")
    try:
        data = base64.b64decode(re.sub(r"\s", "", text).replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:  # binascii.Error is one, and so is a text beyond ASCII
        raise invalid("Invalid value at 'inline_data.data' (TYPE_BYTES), Base64 decoding failed.") from None
    if vendor is Vendor.VERTEX and len(data) > VERTEX_INLINE_BYTES:
        raise invalid("The inline image exceeds the limit of 7 MB.")
    return data


def _tier(model: GoogleModel, asked: Any) -> Tier:
    if asked is None:
        return Tier.ONE
    if not isinstance(asked, str) or asked not in {tier.value for tier in model.tokens}:
        raise invalid()
    return Tier(asked)


def _ratio(model: GoogleModel, asked: Any, references: tuple[Reference, ...]) -> str:
    if asked is None:
        return nearest_ratio(references[0].size, model.ratios) if references else "1:1"
    if asked not in model.ratios:
        raise invalid()
    return str(asked)


def _output(vendor: Vendor, model: GoogleModel, options: dict[str, Any]) -> tuple[Format, int]:
    """Gemini's format is the model's; Vertex sends what is asked, PNG by default (the default is unverified)."""
    if vendor is Vendor.GEMINI:
        return model.format, 85
    mime = options.get("mimeType", "image/png")
    quality = options.get("compressionQuality", 85)
    if not isinstance(mime, str) or mime not in OUTPUT_FORMATS:
        raise invalid()
    if not isinstance(quality, int) or not 0 <= quality <= 100:
        raise invalid()
    return OUTPUT_FORMATS[mime], max(quality, 1)
