"""The Range header: which bytes of an image are wanted. RFC 9110, section 14."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_DIGITS = 18
"""More than any size has. Beyond, a number is not read: converting millions of digits takes seconds."""


class UnsatisfiableError(Exception):
    """The range is written correctly and holds none of the bytes there are."""


def wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None when the whole is to be sent.

    The whole is also the answer, and the standard's advice, to several ranges, other units and what cannot be read.
    Raises UnsatisfiableError.
    """
    match = _ONE.fullmatch(header) if header is not None and len(header) <= 2 * _DIGITS + 16 else None
    if match is None or not (match[1] or match[2]) or max(len(match[1]), len(match[2])) > _DIGITS:
        return None
    if not match[1]:  # the last so many bytes
        start, end = max(0, size - int(match[2])), size
    else:
        start, last = int(match[1]), int(match[2] or size)
        if match[2] and last < start:
            return None
        end = min(last + 1, size)
    if start >= end:
        raise UnsatisfiableError
    return start, end
