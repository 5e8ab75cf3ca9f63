"""Events as this door words them: partial and completed images, and the error that ends a stream, as bytes of a
``text/event-stream``. Knows no web framework.

Every event is a line with its name, one line of JSON and an empty line. OpenAI's clients are strict about more than the
format asks: a field other than ``event`` and ``data``, or a type they do not know, reaches their caller as a broken
picture or ends as a parse error, and an error has to be nested. So there is nothing here but what they know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum

from app.doors.openai_images.errors import ApiError
from providers.spec.blob import Base64Text

Event = Sequence[Base64Text]
"""One whole event, in pieces that are sent in this order without being joined."""

HEARTBEAT = b": heartbeat\n\n"
"""A comment. Every reader skips it; it only shows that the connection lives."""

_NO_USAGE: Mapping[str, object] = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_tokens_details": {"text_tokens": 0, "image_tokens": 0},
}


class Kind(StrEnum):
    """The family of an event's name; OpenAI's clients read each into a class of its own."""

    GENERATION = "image_generation"
    EDIT = "image_edit"


def partial_parts(
    kind: Kind,
    *,
    base64: Base64Text,
    index: int,
    created: int,
    size: str,
    quality: str,
    background: str,
    output_format: str,
) -> Event:
    """An image on its way: whole, but not the answer. ``index`` counts from 0 and rises over the whole stream.

    ``base64`` must hold nothing but base64: it is sent from where it lies, neither escaped nor copied. ``created`` is
    in Unix seconds, ``size`` is ``WxH``.
    """
    name = f"{kind.value}.partial_image"
    fields = _fields(name, created, size, quality, background, output_format)
    return _event(name, {**fields, "partial_image_index": index}, base64)


def completed_parts(
    kind: Kind,
    *,
    created: int,
    size: str,
    quality: str,
    background: str,
    output_format: str,
    base64: Base64Text | None = None,
    url: str | None = None,
    usage: Mapping[str, object] | None = None,
    metadata: Mapping[str, object] | None = None,
) -> Event:
    """A delivered image, one event for each. Either ``base64`` (see partial_parts) or ``url``, never both.

    ``usage`` is in the event whether or not a vendor counted anything, because the clients' type requires it: zeros
    take the place of what is missing. ``metadata`` is left out when there is none. Raises ValueError unless exactly one
    of ``base64`` and ``url`` is given.
    """
    if (base64 is None) is (url is None):
        raise ValueError("a completed event carries either base64 or url")
    name = f"{kind.value}.completed"
    fields = _fields(name, created, size, quality, background, output_format)
    fields["usage"] = {**_NO_USAGE, **(usage or {})}
    if metadata is not None:
        fields["metadata"] = metadata
    if url is not None:
        fields["url"] = url
    return _event(name, fields, base64)


def error_parts(error: ApiError) -> Event:
    """The error that ends a stream. Status and headers cannot be told any more; ``metadata`` stands beside ``error``.

    OpenAI's Python client notices an error only when its fields are nested under ``error``.
    """
    document: dict[str, object] = {
        "type": "error",
        "error": {"message": error.message, "type": error.type, "code": error.code, "param": error.param},
    }
    if error.metadata is not None:
        document["metadata"] = error.metadata
    return _event("error", document)


_ENDINGS = frozenset({b"event: error", *(f"event: {kind.value}.completed".encode() for kind in Kind)})
_LONGEST_ENDING = max(len(line) for line in _ENDINGS) + 1


def may_end(event: Event) -> bool:
    """Whether a stream may end with this event: a completed image or an error, and not an image on its way."""
    first = event[0]
    return isinstance(first, bytes) and first[:_LONGEST_ENDING].partition(b"\n")[0] in _ENDINGS


def _fields(name: str, created: int, size: str, quality: str, background: str, output_format: str) -> dict[str, object]:
    return {
        "type": name,
        "created_at": created,
        "size": size,
        "quality": quality,
        "background": background,
        "output_format": output_format,
    }


def _event(name: str, fields: Mapping[str, object], base64: Base64Text | None = None) -> Event:
    # ASCII escapes keep the JSON on one line and make a caller's lone surrogate, echoed in a message, sendable.
    line = f"event: {name}\ndata: {json.dumps(fields)}".encode("ascii")
    if base64 is None:
        return (line + b"\n\n",)
    return (line[:-1] + b', "b64_json": "', base64, b'"}\n\n')
