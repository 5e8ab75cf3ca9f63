"""JSON as this gateway writes it for every request, in a tenth of the time the standard library takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson


def as_json(value: object, *, default: Callable[[Any], Any] | None = None) -> bytes:
    """The value as JSON in UTF-8, moments of UTC with a ``Z``. ``default`` makes something else of what is no JSON.

    Text that is not valid Unicode is escaped as the standard library does it: an image is not lost over a warning.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_UTC_Z)
    except TypeError:  # its own error among them
        return json.dumps(value, default=default).encode("ascii")
