"""Reading a configuration file into its shape, and the one sentence that says what is wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Shape = TypeVar("Shape", bound=BaseModel)


class CatalogError(Exception):
    """The configuration is wrong or incomplete. The message is one sentence naming the file and the key.

    Entries of a list are counted from 1 in the order of the file: ``price[3]`` is the third ``[[price]]``.
    """


def wrong(file: Path, key: str, what: str) -> NoReturn:
    """Raise CatalogError: in ``file``, the entry at ``key`` is wrong, and ``what`` says how (no full stop)."""
    raise CatalogError(f"{file}: {key}: {what}." if key else f"{file}: {what}.")


def read(file: Path, shape: type[Shape]) -> Shape:
    """The file's content in its shape. Raises CatalogError when it is missing, unreadable, not TOML or misshapen."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        wrong(file, "", "the file is missing")
    except (OSError, UnicodeDecodeError) as unreadable:
        wrong(file, "", f"the file cannot be read ({type(unreadable).__name__})")
    except tomllib.TOMLDecodeError as malformed:
        wrong(file, "", f"the file is not valid TOML ({malformed})")
    try:
        return shape.model_validate(document)
    except ValidationError as misshapen:
        wrong(file, *_key_and_sentence(misshapen.errors(include_url=False)))


def _key_and_sentence(errors: list[ErrorDetails]) -> tuple[str, str]:
    first = errors[0]
    if first["type"] == "missing":
        # A misspelt key is both missing and unknown; the unknown one is what the reader will find in the file.
        for other in errors:
            if other["type"] == "extra_forbidden" and other["loc"][:-1] == first["loc"][:-1]:
                return _key(other), f"there is no such key, while {first['loc'][-1]} is missing"
    return _key(first), _sentence(first)


def _key(error: ErrorDetails) -> str:
    key = ""
    for part in error["loc"]:
        if isinstance(part, int):
            key += f"[{part + 1}]"
        elif part != "[key]":
            key += f".{part}" if key else part
    return key


_SENTENCES = {
    "missing": "the key is missing",
    "extra_forbidden": "there is no such key",
    "string_type": "text in quotes is needed",
    "list_type": "a list is needed",
    "dict_type": "a table is needed",
    "model_type": "a table is needed",
    "bool_type": "true or false is needed",
    "int_type": "a whole number is needed",
    "float_type": "a number is needed",
    "finite_number": "a finite number is needed",
    "date_type": "a date such as 2026-11-20 (without quotes) is needed",
}


def _sentence(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    if kind == "value_error":
        return str(context["error"])
    value = repr(error["input"])[:80]
    if kind in ("enum", "literal_error"):
        return f"{value} is not one of {context['expected']}"
    if kind == "string_pattern_mismatch" and not value.strip("'\" "):
        return "nothing stands there"
    if kind == "string_pattern_mismatch":
        return f"{value} does not look like {_EXAMPLES.get(context['pattern'], context['pattern'])}"
    if kind == "too_short":
        return "at least one entry is needed"
    limit = next((f"{words} {context[name]:g}" for name, words in _LIMITS.items() if name in context), None)
    if limit is not None:
        return f"{value} is wrong: it must be {limit}"
    message = error["msg"]
    return f"{value} is wrong ({message[:1].lower()}{message[1:]})"


_LIMITS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}

_EXAMPLES = {
    r"^[a-z0-9][a-z0-9._-]*$": 'a name such as "nano-banana-2" (lower-case letters, digits, ".", "_", "-")',
    r"^[1-9]\d?:[1-9]\d?$": 'a ratio such as "16:9"',
}
