"""The shapes of Replicate's predictions: what a create sends, and what a prediction holds.

Fields: https://replicate.com/docs/reference/http#predictions.create. Statuses:
https://replicate.com/docs/topics/predictions/lifecycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from providers.job_dialect.reading import linked, object_in, path_segment, picture
from providers.replicate.inputs import Document
from providers.spec.adapter import ProviderModel
from providers.spec.blob import Blob
from providers.spec.conversation import HttpCall, Reply, json_body

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
    document = object_in(reply)
    urls = document.get("urls")
    links = urls if isinstance(urls, dict) else {}
    prediction_id = path_segment(document.get("id"))
    own = f"/v1/predictions/{prediction_id}" if prediction_id else ""
    return Job(poll=linked("GET", links.get("get"), own), cancel=linked("POST", links.get("cancel"), own, "/cancel"))


def read_prediction(reply: Reply) -> Prediction:
    """What a reply shows of a prediction. Raises UnreadableError when it is none."""
    document = object_in(reply)
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
    if isinstance(output, list | dict):
        for item in output if isinstance(output, list) else output.values():
            if depth:
                yield from _pictures(item, depth - 1)
    elif (found := picture(output)) is not None:
        yield found
