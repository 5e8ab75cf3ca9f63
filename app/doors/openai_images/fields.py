"""Lenient reading of a JSON body: what counts as absent, as a number, as a flag, as one of a list."""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from app.doors.openai_images.errors import ParameterError, shown

MAX_DEPTH = 64
"""Levels of nesting. Whoever walks or re-encodes the document later need not fear the recursion limit; the deepest
field this door knows has two."""

MAX_MARKS = 100_000
"""Brackets, braces, commas and colons in a body, those inside of texts included. A prompt of 32,000 commas passes;
a body of ten million empty lists, which would take a gigabyte once parsed, does not."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}(?:\.0{1,20})?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_BACKSLASH = ord("\\")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_FLAGS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def parse_object(body: bytes, *, param: str = "body") -> dict[str, Any]:
    """The JSON object in ``body``. Of duplicate keys the last wins.

    Raises ParameterError (``invalid_json``) naming ``param`` for anything else: other encodings than UTF-8, NaN and
    infinities, numbers too long to hold, nesting too deep, a top level that is no object. Text that is not valid
    Unicode (half of a surrogate pair) raises ``invalid_value`` naming the key it stands under.
    """
    levels = body.count(b"{") + body.count(b"[")
    if len(body) > MAX_MARKS and levels + body.count(b",") + body.count(b":") > MAX_MARKS:
        raise _unreadable(param, "it has too many parts")
    try:
        document = _decoded(body.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError as wrong:
        raise _unreadable(param, f"it is not UTF-8 (byte {wrong.start})") from None
    except json.JSONDecodeError as wrong:
        raise _unreadable(param, f"{wrong.msg} at character {wrong.pos}") from None
    except RecursionError:
        raise _unreadable(param, "it is nested too deeply") from None
    except _NumberError as wrong:
        raise _unreadable(param, str(wrong)) from None
    if not isinstance(document, dict):
        raise _unreadable(param, "its top level must be an object")
    if levels > MAX_DEPTH:
        _refuse_depth(document, param)
    if _BACKSLASH in body and _SURROGATE_ESCAPE.search(body):
        _refuse_lone_surrogates(document)
    return document


class _NumberError(Exception):
    """A number that JSON may spell and this gateway cannot hold."""


def _refuse_constant(name: str) -> float:
    raise _NumberError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NumberError(f"the number {shown(text)} is too large")
    return number


def _bounded(text: str) -> int:
    # 4,300 digits is where Python itself refuses; nothing an image request says needs even 40.
    if len(text) > 40:
        raise _NumberError(f"the number {shown(text)} is too long")
    return int(text)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded)


def _decoded(text: str) -> Any:
    """The JSON value that the text is. The decoder's own method looks for blanks with two regular expressions, which
    take half as long as a small body itself."""
    if text.startswith("{") and text.endswith("}"):
        value, end = _DECODER.raw_decode(text)
        if end == len(text):
            return value
        del value  # it may be large, and is about to be there again
    return _DECODER.decode(text)


def _unreadable(param: str, why: str) -> ParameterError:
    whole = "The request body" if param == "body" else param
    return ParameterError(param, f"{whole} is not readable as JSON: {why}.", "invalid_json")


def _refuse_depth(document: dict[str, Any], param: str) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise _unreadable(param, f"it is nested deeper than {MAX_DEPTH} levels")


def _refuse_lone_surrogates(document: Mapping[str, Any]) -> None:
    for key, value in document.items():
        try:
            json.dumps({key: value}, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise ParameterError(
                key, f"{shown(key)} holds half of a surrogate pair, which is not valid Unicode text."
            ) from None


class Fields:
    """A body's fields, handed out by name; what was never asked for is left over.

    Absent are: a missing key, an explicit null, and text of nothing but spaces. A field with synonyms may come under
    several names at once as long as they agree.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._raw = document
        self._left = {key: value for key, value in document.items() if not _is_absent(value)}

    def has(self, name: str) -> bool:
        """Whether the field is present and was not taken yet."""
        return name in self._left

    def exactly(self, name: str) -> Any:
        """The value to the letter, empty text included; None when missing or null."""
        self.drop(name)
        return self._raw.get(name)

    def take(self, *names: str) -> tuple[str, Any]:
        """The field under the name the caller used, and its value; (first name, None) when absent."""
        if self._left.keys().isdisjoint(names):  # as nearly always: there are fifty names, and callers send four
            return names[0], None
        (name, value), *others = self.take_all(*names)
        for other, differing in others:
            if differing != value or isinstance(differing, bool) is not isinstance(value, bool):
                raise ParameterError(other, f"{name} and {other} mean the same and differ; send one of them.")
        return name, value

    def take_all(self, *names: str) -> Iterator[tuple[str, Any]]:
        """Every one of these fields that is present, in the order of ``names``."""
        for name in names:
            if name in self._left:
                yield name, self._left.pop(name)

    def drop(self, *names: str) -> None:
        """Forget these fields, so that they are not left over either."""
        for name in names:
            self._left.pop(name, None)

    def rest(self) -> dict[str, Any]:
        """What nobody asked for."""
        return dict(self._left)

    def text(self, *names: str) -> str | None:
        """Text without surrounding spaces. Raises ParameterError when it is something else."""
        name, value = self.take(*names)
        if value is None:
            return None
        if not isinstance(value, str):
            raise ParameterError(name, f"{name} must be text, not {shown(value)}.")
        return value.strip()

    def choice(self, choices: Collection[str], *names: str) -> str | None:
        """One of ``choices``, in any letter case."""
        name, value = self.take(*names)
        if value is None:
            return None
        word = value.strip().lower() if isinstance(value, str) else None
        if word not in choices:
            raise ParameterError(name, f"{name} must be one of {', '.join(choices)}, not {shown(value)}.")
        return word

    def integer(self, low: int, high: int, *names: str) -> int | None:
        """A whole number between ``low`` and ``high``, or the text of one."""
        name, value = self.take(*names)
        if value is None:
            return None
        number: int | None = None
        if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
            number = int(value.strip().partition(".")[0])
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        if number is None or not low <= number <= high:
            raise ParameterError(name, f"{name} must be a whole number from {low} to {high}, not {shown(value)}.")
        return number

    def seconds(self, high: float, *names: str) -> float | None:
        """A number of seconds above zero and up to ``high``, or the text of one."""
        name, value = self.take(*names)
        if value is None:
            return None
        number: float | None = None
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value)
        elif isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
            number = float(value.strip())
        if number is None or not 0 < number <= high:
            raise ParameterError(
                name, f"{name} must be a number of seconds above 0 and up to {high:g}, not {shown(value)}."
            )
        return number

    def flag(self, *names: str) -> bool | None:
        """True or false, or the text or the digit of one."""
        name, value = self.take(*names)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).strip().lower() if isinstance(value, str | int) else ""
        if word not in _FLAGS:
            raise ParameterError(name, f"{name} must be true or false, not {shown(value)}.")
        return _FLAGS[word]


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
