"""Replies nobody should send: bodies that are no answer at all, and good answers with one thing wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from providers.spec.conversation import Reply

NOT_AN_OBJECT: Mapping[str, bytes] = {
    "empty": b"",
    "white space": b" \r\n",
    "null": b"null",
    "a list": b"[]",
    "a list of lists": b"[[], [[]]]",
    "a string": b'"x"',
    "a number": b"17",
    "true": b"true",
    "not a number": b"NaN",
    "a number of 5,000 digits": b"9" * 5_000,
    "HTML": b"<html><head><title>Welcome to nginx</title></head><body>ok</body></html>",
    "cut short": b'{"status": "succeeded", "output": [',
    "not UTF-8": b'{"status": "\xff\xfe\xfa"}',
    "an image": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "nested too deep": b"[" * 100_000,
    "objects nested too deep": b'{"a":' * 100_000,
}
"""Bodies that hold no JSON object."""

WRONG_VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    10**30,
    float("inf"),
    "",
    "x",
    "\ud800 lone surrogate",
    "https://[broken",
    "data:image/png;base64,*not base64*",
    "0" * 5_000,
    [],
    [None],
    [[]],
    {},
    {"a": {"b": [1]}},
)
"""What may stand where something else should: every JSON type, and strings that break parsers."""

_ITEMS_DAMAGED = 3
"""Items of a list that are damaged one by one; the rest would repeat them."""


def damaged_replies(reply: Reply) -> Iterator[tuple[str, Reply]]:
    """The reply with each field in turn missing or of every wrong kind; nothing when its body is not JSON."""
    try:
        document = json.loads(reply.body)
    except ValueError:
        return
    for path in _paths(document):
        where = ".".join(str(key) for key in path)
        without = copy.deepcopy(document)
        del _parent(without, path)[path[-1]]
        yield f"{where} missing", _with_body(reply, without)
        for value in WRONG_VALUES:
            wrong = copy.deepcopy(document)
            _parent(wrong, path)[path[-1]] = value
            yield f"{where} = {value!r:.40}", _with_body(reply, wrong)


def with_texts_changed(reply: Reply, change: Mapping[str, str] | str) -> Reply:
    """The reply with its prose changed: a string is appended to every text that holds a space, so that codes and URLs
    stay; a mapping replaces beginnings (old to new) of every text."""
    try:
        document = json.loads(reply.body)
    except ValueError:
        if isinstance(change, str):
            return replace(reply, body=reply.body + change.encode())
        return reply

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: changed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [changed(item) for item in value]
        if isinstance(value, str) and isinstance(change, str):
            return f"{value} {change}" if " " in value else value
        if isinstance(value, str) and not isinstance(change, str):
            for old, new in change.items():
                if value.startswith(old):
                    return new + value.removeprefix(old)
        return value

    return _with_body(reply, changed(document))


def texts(reply: Reply) -> Iterator[str]:
    """Every string value in the reply's JSON; the whole body when it is not JSON."""
    try:
        document = json.loads(reply.body)
    except ValueError:
        yield reply.body.decode("utf-8", "replace")
        return
    for path in _paths(document):
        value = _parent(document, path)[path[-1]]
        if isinstance(value, str):
            yield value


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:_ITEMS_DAMAGED]):
            yield from _paths(item, (*path, index))


def _parent(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def _with_body(reply: Reply, document: object) -> Reply:
    return replace(reply, body=json.dumps(document).encode())
