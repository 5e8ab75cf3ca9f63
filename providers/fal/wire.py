"""The shapes of fal's queue: what a submit sends, and what its replies hold.

Calls and fields: https://fal.ai/docs/api-reference/inference-api, which also says that the returned links are to be
followed and by which rule they are made.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from providers.fal.inputs import Document
from providers.spec.adapter import ProviderModel
from providers.spec.blob import Blob, BlobDamagedError
from providers.spec.conversation import HttpCall, Reply, Trust, json_body
from providers.spec.request import Operation

BASE_URL = "https://queue.fal.run"

MEDIA_HOSTS = frozenset({"fal.media", ".fal.media"})
"""Where results lie. Subdomains too: the host has moved from v3 to v3b before, and a result that may not be fetched is
paid for all the same."""

START_DEADLINE_S = 60
"""Seconds a job may wait for a machine before fal drops it with a 504. Without it the queue keeps a job over the
account's concurrency limit for ever, and starts it long after nobody waits any more. Longer than any queue a caller
would sit out when another provider could start at once; an engineering choice."""

SUBMIT_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        # The model that answers must be the one that was priced, never an "equivalent" one.
        "x-app-fal-disable-fallback": "1",
        # The gateway falls back itself; up to ten retries at fal would only multiply the wait.
        "x-fal-no-retry": "1",
        # Prompts and results are nobody's business after delivery; fal would keep them for 30 days.
        "x-fal-store-io": "0",
        "x-fal-request-timeout": str(START_DEADLINE_S),
    }
)
"""Retries, fallbacks and the start timeout: https://fal.ai/docs/model-apis/model-endpoints/reliability. Payload
storage: the platform headers page of the same documentation."""

_NAMESPACES = frozenset({"workflows", "comfy"})


class State(StrEnum):
    """A job's state. There is none for failure: a failed job is completed, and its result says so."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted job, and the calls that can be made about it."""

    status: HttpCall
    result: HttpCall
    cancel: HttpCall


@dataclass(frozen=True, slots=True)
class Status:
    """A job's progress; ``error_type`` is set when fal's infrastructure failed it."""

    state: State
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A finished job's pictures in order, each a blob or the URL of one, without those that fal flagged as not safe.
    None left: it flagged them all."""

    pictures: tuple[Blob | str, ...] = field(repr=False)


class UnreadableError(Exception):
    """A reply with a good status that does not hold what it must."""


def submit_call(document: Document, model: ProviderModel, operation: Operation) -> HttpCall:
    """Hand in the job. The input is the body itself, not wrapped."""
    return HttpCall(
        "POST",
        f"/{_endpoint_id(model, operation)}",
        headers=SUBMIT_HEADERS,
        body=json_body(document),
        commits=True,
        starts_job=True,
    )


def read_job(reply: Reply, model: ProviderModel, operation: Operation) -> Job:
    """The job a submit started. Raises UnreadableError when the reply names none.

    fal's own links are followed; a missing one is built by the rule of fal's client libraries.
    """
    document = _object(reply)
    request_id = document.get("request_id")
    own = ""
    if isinstance(request_id, str) and _is_plain(request_id):
        own = f"{_app_path(_endpoint_id(model, operation))}/requests/{quote(request_id, safe='')}"

    def call(method: str, link: str, suffix: str) -> HttpCall:
        url = document.get(link)
        if isinstance(url, str) and _is_link(url):
            return HttpCall(method, url, Trust.RESPONSE)
        if not own:
            raise UnreadableError
        return HttpCall(method, own + suffix)

    return Job(
        status=call("GET", "status_url", "/status"),
        result=call("GET", "response_url", ""),
        cancel=call("PUT", "cancel_url", "/cancel"),
    )


def read_status(reply: Reply) -> Status:
    """How the job is doing. Raises UnreadableError when the reply does not say."""
    document = _object(reply)
    error_type = document.get("error_type")
    state = next((state for state in State if state == document.get("status")), None)
    if state is None:
        raise UnreadableError
    return Status(state, error_type if isinstance(error_type, str) else "")


def read_output(reply: Reply) -> Output:
    """The pictures of a successful job. Raises UnreadableError when there is none.

    Only ``url`` is read of each picture: every other field may be null or missing. Some models answer ``image`` in
    place of ``images``; ``url`` is a data URL now and then.
    """
    document = _object(reply)
    listed = document.get("images")
    items = listed if isinstance(listed, list) else [document.get("image")]
    pictures = [_picture(item) for item in items]
    if all(picture is None for picture in pictures):
        raise UnreadableError
    flagged = [_flag(document, index) for index in range(len(pictures))]
    return Output(
        tuple(picture for picture, bad in zip(pictures, flagged, strict=True) if picture is not None and not bad)
    )


def cancel_came_too_late(reply: Reply) -> bool:
    """Whether fal says that the job had completed before it was asked to stop."""
    try:
        return reply.status == 400 and _object(reply).get("status") == "ALREADY_COMPLETED"
    except UnreadableError:
        return False


@dataclass(frozen=True, slots=True)
class InlineImage:
    """An image that came as the text of a data URL. Decoded only when read; may turn out to be damaged."""

    text: str = field(repr=False)
    media_type: str

    @property
    def length(self) -> int:
        """Bytes once decoded, computed from the text's length and padding."""
        return max(0, len(self.text) * 3 // 4 - self.text[-2:].count("="))

    def read(self) -> bytes:
        """The decoded bytes. Raises BlobDamagedError when the text is not base64."""
        try:
            return base64.b64decode(self.text, validate=True)
        except (ValueError, binascii.Error) as broken:
            raise BlobDamagedError("the data URL is not base64") from broken

    def base64(self) -> bytes:
        """The bytes as base64. Raises BlobDamagedError likewise."""
        return base64.b64encode(self.read())


def _endpoint_id(model: ProviderModel, operation: Operation) -> str:
    return (model.edit_id or model.id) if operation is Operation.EDIT else model.id


def _app_path(endpoint_id: str) -> str:
    """Jobs live under owner and alias alone: ``fal-ai/nano-banana-2/edit`` is asked about at ``fal-ai/nano-banana-2``.
    A leading namespace is kept before the two."""
    segments = endpoint_id.split("/")
    kept = 3 if segments[0] in _NAMESPACES else 2
    return "/" + "/".join(segments[:kept])


def _flag(document: dict[str, Any], index: int) -> bool:
    """Whether the picture at this place was flagged. One flag without a place speaks of all pictures."""
    for name in ("has_nsfw_concepts", "nsfw_content_detected"):
        flags = document.get(name)
        if flags is True or (isinstance(flags, list) and index < len(flags) and flags[index] is True):
            return True
    return False


def _picture(item: object) -> Blob | str | None:
    value: Any = item.get("url") if isinstance(item, dict) else item
    if value is None or isinstance(value, bool | int | float | list | dict):
        return None
    if not isinstance(value, str):
        blob: Blob = value  # what is left beside JSON's own types: a long data URL was replaced by it
        return blob
    if value[:5].lower() == "data:":
        head, comma, text = value.partition(",")
        return InlineImage(text, head[5:].split(";")[0].lower()) if comma else None
    return value if _is_link(value) else None


def _is_link(url: str) -> bool:
    return url.startswith(("https://", "http://")) and _is_plain(url)


def _is_plain(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _object(reply: Reply) -> dict[str, Any]:
    try:
        document = reply.json()
    except ValueError as broken:
        raise UnreadableError from broken
    if not isinstance(document, dict):
        raise UnreadableError
    return document
