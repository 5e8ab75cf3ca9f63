"""Answers: what a caller makes of what came back, and what would be wrong with it whatever had happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from benchmarks.rig.caller import Heard

LEFT: Final = "left"
"""Stands for the answer of a caller who left on purpose."""
_MAGIC: Final = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD", "AAAA")
"""How base64 of PNG, JPEG, WebP, GIF and AVIF begins."""
_ENVELOPE: Final = frozenset({"message", "type", "param", "code"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One caller's request and what became of it."""

    kind: str
    told: str
    """Status and error code, ``left``, or what went wrong on the way."""
    seconds: float
    images: int = 0
    cost_usd: Decimal = Decimal(0)
    """What this caller is charged."""
    attempts: tuple[Mapping[str, Any], ...] = ()
    urls: tuple[str, ...] = ()
    wrong: str = ""
    """What no answer may be, in words; empty when it is as it should be."""

    @property
    def twice(self) -> int:
        """Tries that delivered beyond those that were needed: images bought although they were there already."""
        return max(sum(each["outcome"] == "ok" for each in self.attempts) - self.images, 0) if self.images else 0


def seen(kind: str, heard: Heard, *, wanted: int, refused: bool = False) -> Seen:
    """Judge one answer. ``wanted`` images were asked for; ``refused``: the request was such that it must be refused."""
    if heard.left:
        return Seen(kind, LEFT, heard.seconds)
    if heard.trouble or not heard.whole:
        trouble = heard.trouble or "cut short"
        return Seen(kind, f"{heard.status or 'none'} {trouble}", heard.seconds, wrong=trouble)
    try:
        document = _document(heard)
    except (ValueError, KeyError, TypeError):
        return Seen(kind, f"{heard.status} unreadable", heard.seconds, wrong="unreadable")
    told = _told(heard.status, document)
    metadata = document.get("metadata") or {}
    data = document.get("data") or []
    return Seen(
        kind,
        told,
        heard.seconds,
        images=len(data) if wanted else 0,
        cost_usd=Decimal(metadata.get("cost_usd", "0")),
        attempts=tuple(metadata.get("attempts", ())),
        urls=tuple(each["url"] for each in data if "url" in each),
        wrong=_wrong(heard, document, wanted=wanted, refused=refused),
    )


def counted(answers: Iterable[Seen]) -> dict[str, int]:
    """How often each answer was given, the most frequent first."""
    return dict(Counter(each.told for each in answers).most_common())


def _document(heard: Heard) -> dict[str, Any]:
    if heard.headers.get("content-type", "").startswith("text/event-stream"):
        return _last_event(heard.body.decode())
    document: dict[str, Any] = json.loads(heard.body)
    if not isinstance(document, dict):
        raise TypeError
    return document


def _last_event(text: str) -> dict[str, Any]:
    """A stream as the answer it stands for: every completed image, or the error it ended with."""
    images: list[dict[str, Any]] = []
    last: dict[str, Any] = {}
    for data in _events(text):
        last = data
        if str(data.get("type", "")).endswith(".completed"):
            images.append({"b64_json": data["b64_json"]})
    if "error" in last:
        return last
    return {"data": images, "metadata": last.get("metadata", {})}


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


def _told(status: int, document: Mapping[str, Any]) -> str:
    error = document.get("error")
    if not isinstance(error, dict):
        return str(status)
    within = "in a stream " if status < 400 else ""
    return f"{status} {within}{error.get('code') or error.get('type')}"


def _wrong(heard: Heard, document: Mapping[str, Any], *, wanted: int, refused: bool) -> str:
    error = document.get("error")
    if "x-request-id" not in heard.headers:
        return "no request id"
    if heard.status == 429 and not heard.headers.get("retry-after", "").isdigit():
        return "429 without a Retry-After"
    if error is not None:
        if not isinstance(error, dict) or not set(error) >= _ENVELOPE or not error["message"]:
            return "an error outside of the envelope"
        if heard.status >= 500 and error["code"] == "internal_error":
            return "internal error"
        if refused and not 400 <= heard.status < 500:
            return "a bad request was not refused as one"
        return ""
    if heard.status >= 400:
        return "an error without an envelope"
    return "a bad request was served" if refused else _lacking(document, wanted)


def _lacking(document: Mapping[str, Any], wanted: int) -> str:
    if not wanted:
        return ""
    data, metadata = document.get("data") or [], document.get("metadata") or {}
    if not data or len(data) > wanted:
        return f"{len(data)} images of {wanted}"
    if len(data) < wanted and not any(each["parameter"] == "n" for each in metadata.get("warnings", ())):
        return "images missing without a warning"
    if any("b64_json" in each and not each["b64_json"].startswith(_MAGIC) for each in data):
        return "not an image"
    return "" if Decimal(metadata.get("cost_usd", "0")) > 0 else "an image without a cost"
