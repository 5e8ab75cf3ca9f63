"""fal's queue as a conversation: upload, submit, ask until completed, fetch the result, download the pictures."""

from __future__ import annotations

from collections.abc import Generator
from itertools import chain, repeat

from providers.fal import errors, wire
from providers.fal.errors import VENDOR
from providers.fal.inputs import IMAGES, PROVIDER, SCHEMAS, input_for, ungranted
from providers.fal.uploads import INLINE_CHARACTERS, REST_URL, uploaded
from providers.job_dialect.asking import LONGEST_PAUSE_S, TOLERATED_FAILURES, ask, hand_in, ok
from providers.job_dialect.downloads import downloaded
from providers.job_dialect.failures import silent, unusable
from providers.job_dialect.reading import UnreadableError
from providers.job_dialect.references import references
from providers.spec.adapter import Endpoint, ProviderModel
from providers.spec.blob import Blob
from providers.spec.conversation import Abandoned, Conversation, HttpCall, Pause, Reply, Step, Unanswered
from providers.spec.errors import ProviderError, Spend
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult

FIRST_PAUSES_S = (0.5, 0.75, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0)
"""Seconds before each of the first questions. Short at first, because the quick models need one to two seconds; then
so that an image of 13 s, the usual case, is noticed after a second on average. fal does not meter questions."""

LATER_PAUSE_S = 3.0
"""Seconds before every further question."""


class FalAdapter:
    """Speaks fal's queue protocol, and its storage's."""

    name = PROVIDER
    schemas = SCHEMAS

    def __init__(self, base_url: str = wire.BASE_URL) -> None:
        """``base_url``: where the queue is. fal's own has its storage beside it, anybody else's below itself."""
        root = base_url.rstrip("/")
        self._storage = REST_URL if root == wire.BASE_URL else ""
        also = frozenset({REST_URL}) if self._storage else frozenset[str]()
        self.endpoint = Endpoint(self.name, root, wire.MEDIA_HOSTS, also)

    def converse(self, request: ImageRequest, model: ProviderModel) -> Conversation:
        """Make the image. Once the job is accepted, whatever ends the conversation early cancels it first."""
        document = input_for(request, model.schema)
        if request.images:
            document[IMAGES] = yield from references(
                request.images,
                INLINE_CHARACTERS,
                lambda image, name: uploaded(image, name, self._storage, request.prompt),
            )
        job = yield from _submitted(request, model, wire.submit_call(document, model, request.operation))
        error_type = yield from _until_completed(job, request.prompt)
        pictures = yield from _result(job, error_type, request.prompt)
        images = yield from downloaded(pictures, request.prompt, VENDOR)
        return ImageResult(images, warnings=ungranted(request, model.schema), made=len(pictures))


def _submitted(request: ImageRequest, model: ProviderModel, call: HttpCall) -> Generator[Step, Reply | None, wire.Job]:
    reply = yield from hand_in(call, VENDOR)
    if not ok(reply):
        raise errors.submit_failed(reply, request.prompt)
    try:
        return wire.read_job(reply, model, request.operation)
    except UnreadableError as unreadable:
        raise unusable(reply, request.prompt, VENDOR, spend=Spend.POSSIBLE) from unreadable


def _until_completed(job: wire.Job, prompt: str) -> Generator[Step, Reply | None, str]:
    """Ask until the job is over; the ``error_type`` of its last status."""
    failures, wait = 0, 0.0
    try:
        for pause in chain(FIRST_PAUSES_S, repeat(LATER_PAUSE_S)):
            yield Pause(max(pause, wait))
            answer = yield from _asked(job, prompt)
            if isinstance(answer, ProviderError):
                failures, wait = failures + 1, min(answer.retry_after or 0.0, LONGEST_PAUSE_S)
                if failures > TOLERATED_FAILURES:
                    lost = answer
                    break
                continue
            if answer.state is wire.State.COMPLETED:
                return answer.error_type
            failures, wait = 0, 0.0
    except Abandoned as abandoned:
        abandoned.spend = yield from _cancelled(job)
        raise
    lost.spend = yield from _cancelled(job)
    raise lost


def _asked(job: wire.Job, prompt: str) -> Generator[Step, Reply | None, wire.Status | ProviderError]:
    """Ask once. What went wrong is returned, not raised: the next question may go well."""
    try:
        reply = yield from ask(job.status)
        return wire.read_status(reply) if ok(reply) else errors.ask_failed(reply, prompt)
    except Unanswered as unanswered:
        return silent(unanswered, VENDOR, spend=Spend.POSSIBLE)
    except UnreadableError:
        return unusable(reply, prompt, VENDOR, spend=Spend.POSSIBLE)


def _cancelled(job: wire.Job) -> Generator[Step, Reply | None, Spend]:
    """Ask fal to stop the job; what it may bill.

    fal answers alike for a queued job, which is removed, and a running one, which is only told to stop and may be
    billed. The state seen last is no proof: the job may have started since.
    """
    try:
        reply = yield from ask(job.cancel)
    except Unanswered:
        return Spend.POSSIBLE
    if wire.cancel_came_too_late(reply):
        return Spend.CHARGED
    return Spend.POSSIBLE


def _result(job: wire.Job, error_type: str, prompt: str) -> Generator[Step, Reply | None, tuple[Blob | str, ...]]:
    """Fetch a completed job's pictures, or the reply that says why there are none, which is raised."""
    for pause in (0.0, *FIRST_PAUSES_S[:TOLERATED_FAILURES]):
        if pause:
            yield Pause(pause)
        try:
            reply = yield from ask(job.result)
        except Unanswered as unanswered:
            failure = silent(unanswered, VENDOR, spend=Spend.POSSIBLE)
            continue
        if ok(reply):
            return _pictures(reply, prompt)
        if errors.is_jobs_own_answer(reply):
            raise errors.job_failed(reply, prompt)
        failure = errors.ask_failed(reply, prompt)
    raise errors.infrastructure_failed(error_type) or failure


def _pictures(reply: Reply, prompt: str) -> tuple[Blob | str, ...]:
    try:
        output = wire.read_output(reply)
    except UnreadableError as unreadable:
        raise unusable(reply, prompt, VENDOR, spend=errors.billed(reply, otherwise=Spend.POSSIBLE)) from unreadable
    if not output.pictures:
        raise errors.flagged(reply)
    return output.pictures
