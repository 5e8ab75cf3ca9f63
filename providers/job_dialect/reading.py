"""Reading replies about jobs: the object in a body, the calls its links stand for, and the pictures it names."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from providers.spec.blob import Blob, InlineBlob
from providers.spec.conversation import AsBase64, HttpCall, Reply, Trust

_IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,40}")


class UnreadableError(Exception):
    """A reply with a good status that does not hold what it must."""


def object_in(reply: Reply) -> dict[str, Any]:
    """The object a reply consists of. Raises UnreadableError when it is none."""
    try:
        document = reply.json()
    except ValueError as broken:
        raise UnreadableError from broken
    if not isinstance(document, dict):
        raise UnreadableError
    return document


def object_if_any(reply: Reply) -> dict[str, Any]:
    """The object a reply consists of, else an empty one: for replies that may be somebody's error page."""
    try:
        return object_in(reply)
    except UnreadableError:
        return {}


def linked(method: str, link: object, own: str, suffix: str = "") -> HttpCall:
    """The call a vendor's link stands for; without a usable link, one to ``own`` + ``suffix``.

    ``own`` is the job's path as the vendor's rule builds it, empty when the reply names no job: then UnreadableError.
    """
    if isinstance(link, str) and _is_link(link):
        return HttpCall(method, link, Trust.RESPONSE)
    if not own:
        raise UnreadableError
    return HttpCall(method, own + suffix)


def path_segment(job_id: object) -> str:
    """A job's id as a segment of a path, which it cannot leave; empty when it is no id."""
    return quote(job_id, safe="") if isinstance(job_id, str) and _is_plain(job_id) else ""


def picture(value: object) -> Blob | str | None:
    """A picture a reply names: a blob, or the URL of one; None when it is neither. Data URLs are blobs."""
    found: Any = value
    if found is None or isinstance(found, bool | int | float | list | dict):
        return None
    if not isinstance(found, str):
        blob: Blob = found  # what is left beside JSON's own types: a long data URL was replaced by it
        return blob
    if found[:5].lower() == "data:":
        head, comma, text = found.partition(",")
        return InlineBlob(text, head[5:].split(";")[0].lower()) if comma else None
    return found if _is_link(found) else None


def link(value: object) -> str:
    """The link a reply gives. Raises UnreadableError when it is none."""
    if isinstance(value, str) and _is_link(value):
        return value
    raise UnreadableError


def image_type(image: Blob) -> str:
    """An input image's media type as vendors are told it; ``image/png`` where its own is doubtful."""
    return image.media_type if _IMAGE_TYPE.fullmatch(image.media_type) else "image/png"


def data_url(image: Blob) -> AsBase64:
    """An input image inline."""
    return AsBase64(image, f"data:{image_type(image)};base64,")


def _is_link(url: str) -> bool:
    return url.startswith(("https://", "http://")) and _is_plain(url)


def _is_plain(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
