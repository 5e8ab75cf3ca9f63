"""The conversation: what an adapter yields and what it is handed back.

A conversation is a generator. It yields

* ``HttpCall`` and is sent a ``Reply``; when no usable reply came, ``Unanswered`` is thrown in at that yield;
* ``NextEvent`` and is sent the next event of the call before it as a ``Reply``, ``None`` when there are no more; when
  the stream breaks, ``Unanswered`` is thrown in;
* ``Pause`` and is sent ``None`` when the time is over;
* ``Interim`` and is sent ``None`` at once;

and returns an ``ImageResult`` or raises ``ProviderError``. At any yield ``Abandoned`` may be thrown in: an adapter with
a job in flight yields its cancel call under ``except Abandoned`` (never in ``finally`` or ``except BaseException``: a
closed generator that yields raises RuntimeError) and re-raises.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pydantic_core import from_json

from providers.spec.blob import Blob
from providers.spec.errors import DETAIL_LIMIT, Spend
from providers.spec.result import ImageResult
from providers.spec.unguarded import unguarded


class Trust(StrEnum):
    """Where a URL came from. Credentials go only to the origins that were configured."""

    CONFIGURED = "configured"
    """Built from configuration: relative to the endpoint's base URL, or absolute on one of its configured origins."""
    RESPONSE = "response"
    """Read out of a reply. On a configured origin it counts as configured; elsewhere it is called bare, https only,
    and only from the endpoint's listed media hosts."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A body part: the bytes of a blob as they are."""

    blob: Blob


@dataclass(frozen=True, slots=True)
class AsBase64:
    """A body part: a blob as base64 text, after ``prefix`` (for example ``data:image/png;base64,``)."""

    blob: Blob
    prefix: str = ""


BodyPart = bytes | Raw | AsBase64

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@unguarded
@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP exchange an adapter asks for. Credentials are never in it: transport adds them."""

    method: str
    url: str
    """Path relative to the endpoint's base URL (``/v1/...``), or an absolute URL."""
    trust: Trust = Trust.CONFIGURED
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    body: tuple[BodyPart, ...] = field(default=(), repr=False)
    commits: bool = False
    """From the moment this call is sent the vendor may bill."""
    starts_job: bool = False
    """The reply names a job that can be cancelled: once sent, the call is left a few seconds to finish even when the
    conversation is abandoned, so that the job can be."""
    wants_image: bool = False
    """The reply is an image file rather than JSON: it is handed over as ``Reply.blob``."""
    events: bool = False
    """The reply may be a stream of server-sent events: a 2xx that is one comes without a body and with
    ``Reply.events`` set, and its events are asked for by ``NextEvent``. Anything else comes whole."""


@dataclass(frozen=True, slots=True)
class NextEvent:
    """Wait for the next event of the last call, whose reply said that there are events. The next call closes them."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before the next step. Seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Interim:
    """An interim image to hand out while the final one is being made."""

    blob: Blob


BLOB_KEY = "$image-gateway-blob"


@unguarded
@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. Header names are lower case. Long base64 strings were cut out of ``body`` into ``blobs``."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)
    blobs: tuple[Blob, ...] = ()
    blob: Blob | None = None
    """The whole body, when the call wanted an image and the status was 2xx."""
    first_byte_seconds: float = 0.0
    events: bool = False
    """A stream of events follows: the body is empty, and ``NextEvent`` brings each event's data in a Reply like this
    one, its body the data."""

    def json(self) -> Any:
        """The parsed body, with a Blob where a long base64 string (or base64 data URL) stood.

        Raises ValueError when the body is not JSON; nothing else, whatever the bytes.
        """
        try:
            if not self.blobs:
                return _parsed(self.body)
            return json.loads(self.body, object_hook=lambda document: blob_or_object(document, self.blobs))
        except (RecursionError, UnicodeDecodeError) as unreadable:
            raise ValueError("the body is not JSON") from unreadable

    def excerpt(self) -> str:
        """The start of the body as printable text, for an operator. Not for callers: it may echo the prompt."""
        text = self.body[: DETAIL_LIMIT * 4].decode("utf-8", "replace")
        return "".join(char if char.isprintable() else " " for char in text)[:DETAIL_LIMIT]


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:  # it is stricter than JSON's own parser: half a surrogate pair in some text costs no image
        return json.loads(body)


def blob_or_object(document: dict[str, Any], blobs: tuple[Blob, ...]) -> Any:
    """The blob an object of a skeleton stands for, or the object when it stands for none."""
    index = document.get(BLOB_KEY)
    return blobs[index] if isinstance(index, int) and 0 <= index < len(blobs) else document


class Unanswered(Exception):
    """No usable reply came: refused, reset, cut short, too large, or not allowed by the trust rule.

    ``sent`` says whether the request may have reached the vendor. ``reason`` is ours and holds no URL and no secret.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class AbandonReason(StrEnum):
    """Why a conversation is ended early. Only ATTEMPT_LIMIT says anything about the provider."""

    HUNG_UP = "hung_up"
    REQUEST_DEADLINE = "request_deadline"
    ATTEMPT_LIMIT = "attempt_limit"
    HEDGE_LOST = "hedge_lost"


class Abandoned(Exception):
    """Thrown into a conversation that is ended early. An adapter that learns from its cancel call what the vendor will
    bill writes it to ``spend``; left None, the driver assumes POSSIBLE once a committing call was sent."""

    def __init__(self, reason: AbandonReason) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.spend: Spend | None = None


Step = HttpCall | NextEvent | Pause | Interim
Conversation = Generator[Step, Reply | None, ImageResult]


def json_body(document: object) -> tuple[BodyPart, ...]:
    """Body parts of a JSON document whose leaves may be ``AsBase64``, without ever building the long string."""
    try:
        return (_ENCODER.encode(document).encode(),)
    except _HoldsBlobsError:
        pass
    merged: list[BodyPart] = []
    for part in _render(document):
        if isinstance(part, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


class _HoldsBlobsError(Exception):
    """There is more in a document than JSON's own encoder writes."""


def _without_blobs(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, AsBase64):
        raise _HoldsBlobsError
    raise TypeError(f"{type(value).__name__} is no JSON value")


_ENCODER = json.JSONEncoder(default=_without_blobs, separators=(",", ":"))


def _render(value: object) -> Iterator[BodyPart]:
    if isinstance(value, AsBase64):
        yield b'"' + json.dumps(value.prefix)[1:-1].encode()
        yield AsBase64(value.blob)  # its prefix stands there already, escaped for JSON
        yield b'"'
    elif isinstance(value, Mapping):
        yield b"{"
        for index, (key, item) in enumerate(value.items()):
            yield (b"," if index else b"") + json.dumps(str(key)).encode() + b":"
            yield from _render(item)
        yield b"}"
    elif isinstance(value, list | tuple):
        yield b"["
        for index, item in enumerate(value):
            if index:
                yield b","
            yield from _render(item)
        yield b"]"
    else:
        yield json.dumps(value).encode()
