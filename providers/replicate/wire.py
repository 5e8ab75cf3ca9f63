"""The shapes of Replicate's predictions: what a create sends, and what a prediction holds.

Fields: https://replicate.com/docs/reference/http#predictions.create. Statuses:
https://replicate.com/docs/topics/predictions/lifecycle.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from providers.replicate.inputs import Document
from providers.spec.adapter import ProviderModel
from providers.spec.blob import Blob, BlobDamagedError
from providers.spec.conversation import HttpCall, Reply, Trust, json_body

BASE_URL = "https://api.replicate.com"

MEDIA_HOSTS = frozenset({"replicate.delivery", ".replicate.delivery"})
"""Where output files lie, for one hour: https://replicate.com/docs/topics/predictions/output-files."""

CREATE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        # Seconds the create may be held open for a quick model. Shorter than the time a create is left to finish after
        # its caller hung up (policy.toml: submit_grace_s), so that its id becomes known and the job can be cancelled.
        "prefer": "wait=3",
        # Replicate stops the job itself should the gateway die meanwhile. As long as the default request deadline
        # (policy.toml: request_deadline_s).
        "cancel-after": "5m",
    }
)
"""Both: https://replicate.com/changelog/2025-10-16-prediction-deadlines."""

SUBSTITUTED = "fallback"
"""The resolution a prediction shows when another model answered in place of the one asked."""

_NESTED = 3
"""How deep pictures are looked for in an output that is an object."""


class State(StrEnum):
    """A prediction's status."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"
    """Stopped before it started; some client libraries do not know it."""


ENDED_BADLY = frozenset({State.FAILED, State.CANCELED, State.ABORTED})


@dataclass(frozen=True, slots=True)
class Prediction:
    """A job as one reply shows it."""

    state: State | None
    """None: a status nobody has heard of."""
    pictures: tuple[Blob | str, ...] = field(repr=False)
    """The output so far, each a blob or the URL of one."""
    started: bool
    removed: bool
    """Replicate has deleted the output, as it does after an hour."""
    substituted: bool
    error: str = field(repr=False)
    """The vendor's text. May quote the prompt."""


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted prediction, and the calls that can be made about it."""

    poll: HttpCall
    cancel: HttpCall


class UnreadableError(Exception):
    """A reply with a good status that does not hold what it must."""


def create_call(document: Document, model: ProviderModel) -> HttpCall:
    """Create a prediction of an official model, whose name stands in the path."""
    return HttpCall(
        "POST",
        f"/v1/models/{model.id}/predictions",
        headers=CREATE_HEADERS,
        body=json_body({"input": document}),
        commits=True,
        starts_job=True,
    )


def read_job(reply: Reply) -> Job:
    """The job a create started. Raises UnreadableError when the reply shows none."""
    document = _object(reply)
    urls = document.get("urls")
    links = urls if isinstance(urls, dict) else {}
    prediction_id = document.get("id")
    own = ""
    if isinstance(prediction_id, str) and _is_plain(prediction_id):
        own = f"/v1/predictions/{quote(prediction_id, safe='')}"

    def call(method: str, link: str, suffix: str) -> HttpCall:
        url = links.get(link)
        if isinstance(url, str) and _is_link(url):
            return HttpCall(method, url, Trust.RESPONSE)
        if not own:
            raise UnreadableError
        return HttpCall(method, own + suffix)

    return Job(poll=call("GET", "get", ""), cancel=call("POST", "cancel", "/cancel"))


def read_prediction(reply: Reply) -> Prediction:
    """What a reply shows of a prediction. Raises UnreadableError when it is none."""
    document = _object(reply)
    error = document.get("error")
    metrics = document.get("metrics")
    return Prediction(
        state=next((state for state in State if state == document.get("status")), None),
        pictures=tuple(_pictures(document.get("output"), _NESTED)),
        started=document.get("started_at") is not None or document.get("status") == State.PROCESSING,
        removed=document.get("data_removed") is True,
        substituted=isinstance(metrics, dict) and metrics.get("resolution") == SUBSTITUTED,
        error=error if isinstance(error, str) else "",
    )


def _pictures(output: object, depth: int) -> Iterator[Blob | str]:
    """An output is one URI, a list of them, or an object that holds some; a URI may be a data URL."""
    value: Any = output
    if value is None or isinstance(value, bool | int | float):
        return
    if isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            if depth:
                yield from _pictures(item, depth - 1)
    elif not isinstance(value, str):
        blob: Blob = value  # what is left beside JSON's own types: a long data URL was replaced by it
        yield blob
    elif value[:5].lower() == "data:":
        head, comma, text = value.partition(",")
        if comma:
            yield InlineImage(text, head[5:].split(";")[0].lower())
    elif _is_link(value):
        yield value


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
