"""Request bodies: one reader for all vendors, and an abridged form of what is kept or told back."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.requests import Request

LARGEST = 100_000_000
"""Bytes; Google's announced inline limit for Gemini (unverified), taken for everyone."""
DEEPEST = 100
"""Objects and lists inside each other; what protobuf's JSON reader takes."""
LONGEST_URI = 200
"""Characters of a data URI that is kept whole."""
LONGEST_TEXT = 2000
"""Characters of any other text that is kept whole."""
MOST_ITEMS = 100
"""Entries of an object or a list that are kept."""


class Unreadable(Exception):
    """The body is not JSON that the simulator can work with; the text says why."""


class TooLarge(Unreadable):
    """The body is larger than any vendor takes."""


async def read_bytes(request: Request, largest: int | None = None) -> bytes:
    """The whole body. TooLarge when it has more than ``largest`` bytes (None: ``LARGEST``); it is not read to its end
    then."""
    largest = LARGEST if largest is None else largest
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and len(announced) < 20 and int(announced) > largest:
        raise TooLarge("the body is too large")
    pieces: list[bytes] = []
    held = 0
    async for piece in request.stream():
        held += len(piece)
        if held > largest:
            raise TooLarge("the body is too large")
        pieces.append(piece)
    return b"".join(pieces)


async def read_json(request: Request, empty: str = "null", largest: int | None = None) -> Any:
    """The body as JSON; an empty body reads as ``empty``.

    Unreadable for what is no JSON, and for JSON that could not be told back: numbers that are not finite, halves of
    surrogate pairs, nesting deeper than ``DEEPEST``. What the vendors do with the last three is unverified.
    """
    try:
        text = (await read_bytes(request, largest)).decode("utf-8") or empty
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise Unreadable("the body is not text in UTF-8") from None
    except RecursionError:
        raise Unreadable("the body is nested too deeply") from None
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
        raise Unreadable("the body is nested too deeply")
    return value


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _depth(value: Any) -> int:
    deep = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        deep += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return deep


def abridged(value: Any) -> Any:
    """A copy in which long texts, data URIs, objects and lists are cut, and say that they were."""
    if isinstance(value, str):
        most = LONGEST_URI if value[:5].lower() == "data:" else LONGEST_TEXT
        return value if len(value) <= most else f"{value[: most // 2]}... ({len(value)} characters)"
    if isinstance(value, list):
        return [abridged(item) for item in value[:MOST_ITEMS]]
    if isinstance(value, dict):
        return {abridged(name): abridged(item) for name, item in list(value.items())[:MOST_ITEMS]}
    return value


def weight(value: Any) -> int:
    """About how many bytes a JSON value holds in memory."""
    if isinstance(value, str):
        return 50 + len(value)
    if isinstance(value, list):
        return 50 + sum(map(weight, value))
    if isinstance(value, dict):
        return 50 + sum(weight(name) + weight(item) for name, item in value.items())
    return 50
