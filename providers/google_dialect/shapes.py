"""Reading JSON of uncertain shape: what is there if it is of the right kind, else nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def an_object(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects in the value if it is a list, else none."""
    if not isinstance(value, list):
        return []
    for item in value:
        if not isinstance(item, dict):
            return [each for each in value if isinstance(each, dict)]
    return value


def text(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""
