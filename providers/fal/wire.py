"""The shapes of fal's queue: what a submit sends, and what its replies hold.

Calls and fields: https://fal.ai/docs/api-reference/inference-api, which also says that the returned links are to be
followed and by which rule they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from providers.fal.inputs import Document
from providers.job_dialect.reading import UnreadableError, linked, object_if_any, object_in, path_segment, picture
from providers.spec.adapter import ProviderModel
from providers.spec.blob import Blob
from providers.spec.conversation import HttpCall, Reply, json_body
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
    document = object_in(reply)
    request_id = path_segment(document.get("request_id"))
    own = f"{_app_path(_endpoint_id(model, operation))}/requests/{request_id}" if request_id else ""
    return Job(
        status=linked("GET", document.get("status_url"), own, "/status"),
        result=linked("GET", document.get("response_url"), own),
        cancel=linked("PUT", document.get("cancel_url"), own, "/cancel"),
    )


def read_status(reply: Reply) -> Status:
    """How the job is doing. Raises UnreadableError when the reply does not say."""
    document = object_in(reply)
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
    document = object_in(reply)
    listed = document.get("images")
    items = listed if isinstance(listed, list) else [document.get("image")]
    found = [picture(item.get("url") if isinstance(item, dict) else item) for item in items]
    if all(each is None for each in found):
        raise UnreadableError
    flagged = [_flag(document, index) for index in range(len(found))]
    return Output(tuple(each for each, bad in zip(found, flagged, strict=True) if each is not None and not bad))


def cancel_came_too_late(reply: Reply) -> bool:
    """Whether fal says that the job had completed before it was asked to stop."""
    return reply.status == 400 and object_if_any(reply).get("status") == "ALREADY_COMPLETED"


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
