"""References: input images and the mask of a body, under all the names and in all the shapes clients give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.doors.openai_images.errors import ParameterError, shown
from app.doors.openai_images.fields import Fields
from app.doors.openai_images.image_names import ENTRY_KEYS, IMAGE_NAMES, MARKUP, MASK_NAMES
from app.media.inputs import Source
from providers.spec.blob import Blob

MAX_INPUT_IMAGES = 16
"""Most input images of a request, as OpenAI's API reference has it for edits."""


def take_images(fields: Fields) -> tuple[Source, ...]:
    """The input images in order. Raises ParameterError for what is none, and for more than there may be."""
    sources: list[Source] = []
    for name, value in fields.take_all(*IMAGE_NAMES):
        sources += _sources(name, value)
    if len(sources) > MAX_INPUT_IMAGES:
        raise ParameterError(
            sources[0].param.partition("[")[0], f"At most {MAX_INPUT_IMAGES} input images; these are {len(sources)}."
        )
    return tuple(sources)


def take_mask(fields: Fields) -> Source | None:
    """The mask, if there is one. Raises ParameterError for what is none, and for several."""
    name, value = fields.take(*MASK_NAMES)
    if value is None:
        return None
    found = list(_sources(name, value))
    if len(found) > 1:
        raise ParameterError(name, f"{name} must be one image; these are {len(found)}.")
    return found[0] if found else None


def refuse_markup(fields: Fields) -> None:
    """Raise ParameterError when the body has a ``markup``, which no vendor here takes."""
    for name, _ in fields.take_all(MARKUP):
        raise ParameterError(
            name,
            "markup is not supported by these models: draw it into the image, or mark the place with mask.",
            "unsupported_value",
        )


def _sources(name: str, value: Any) -> Iterator[Source]:
    if isinstance(value, list | tuple):
        for place, entry in enumerate(value):
            yield from _sources(f"{name}[{place}]", entry)
    elif isinstance(value, Mapping):
        if value:
            yield from _inner(name, value)
    elif isinstance(value, str):
        if value.strip():
            yield Source(name, value.strip())
    elif value is None:
        return
    elif isinstance(value, bool | int | float):
        raise ParameterError(name, f"{name} must be an image file, an https URL or a data URL, not {shown(value)}.")
    else:
        blob: Blob = value  # what is left beside JSON's own types: an upload, or a data URL that was cut out
        yield Source(name, blob)


def _inner(name: str, entry: Mapping[str, Any]) -> Iterator[Source]:
    given = [key for key in ENTRY_KEYS if entry.get(key) is not None]
    if given == ["file_id"]:
        raise ParameterError(
            f"{name}.file_id",
            f"{name}.file_id is not supported: this gateway keeps no files. Send the image itself, or its URL.",
            "unsupported_value",
        )
    if len(given) != 1:
        raise ParameterError(
            name, f'{name} must be an object with one of image_url and file_id, such as {{"image_url": "https://..."}}.'
        )
    yield from _sources(f"{name}.{given[0]}", entry[given[0]])
