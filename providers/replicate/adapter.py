"""Replicate's predictions as a conversation: upload, create, ask until there is output, download the pictures."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from itertools import chain, repeat

from providers.job_dialect.asking import LONGEST_PAUSE_S, TOLERATED_FAILURES, ask, hand_in, ok
from providers.job_dialect.downloads import downloaded
from providers.job_dialect.failures import silent, unusable
from providers.job_dialect.reading import UnreadableError
from providers.job_dialect.references import references
from providers.replicate import errors, wire
from providers.replicate.errors import VENDOR
from providers.replicate.inputs import IMAGES, PROVIDER, SCHEMAS, input_for
from providers.replicate.uploads import INLINE_CHARACTERS, uploaded
from providers.spec.adapter import Endpoint, ProviderModel
from providers.spec.blob import Blob
from providers.spec.conversation import Abandoned, Conversation, HttpCall, Pause, Reply, Step, Unanswered
from providers.spec.errors import ProviderError, Spend
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult

FIRST_PAUSES_S = (0.5, 1.0, 1.5)
"""Seconds before each of the first questions: the create was held open for the quick models, so these are for the ones
that just missed it."""

LATER_PAUSE_S = 2.0
"""Seconds before every further question. An account may ask 3,000 times a minute, all its jobs together; at this pace
that is a hundred jobs under way, at the half second of Replicate's own client libraries it is twenty-five."""


def _drawn_boundary() -> str:
    """A line that no caller can have put into his image."""
    return secrets.token_hex(16)


class ReplicateAdapter:
    """Speaks Replicate's prediction protocol for official models, and its files'."""

    name = PROVIDER
    schemas = SCHEMAS

    def __init__(self, base_url: str = wire.BASE_URL, boundary: Callable[[], str] = _drawn_boundary) -> None:
        """``boundary``: draws what separates the parts of an upload."""
        self.endpoint = Endpoint(self.name, base_url.rstrip("/"), wire.MEDIA_HOSTS)
        self._boundary = boundary

    def converse(self, request: ImageRequest, model: ProviderModel) -> Conversation:
        """Make the image. Once the prediction exists, whatever ends the conversation early cancels it first."""
        document = input_for(request, model.schema)
        if request.images:
            document[IMAGES] = yield from references(
                request.images,
                INLINE_CHARACTERS,
                lambda image, name: uploaded(image, name, self._boundary(), request.prompt),
            )
        created = yield from _created(wire.create_call(document, model), request.prompt)
        pictures = yield from _output(created, request)
        return ImageResult((yield from downloaded(pictures, request.prompt, VENDOR)), made=len(pictures))


def _created(call: HttpCall, prompt: str) -> Generator[Step, Reply | None, Reply]:
    """The reply that shows the new prediction, perhaps finished already."""
    reply = yield from hand_in(call, VENDOR)
    if not ok(reply):
        raise errors.create_failed(reply, prompt)
    return reply


def _output(created: Reply, request: ImageRequest) -> Generator[Step, Reply | None, tuple[Blob | str, ...]]:
    """Ask until there is output; raises what the prediction ended with when there is none."""
    try:
        job, seen = wire.read_job(created), wire.read_prediction(created)
    except UnreadableError as unreadable:
        raise unusable(created, request.prompt, VENDOR, spend=Spend.POSSIBLE) from unreadable
    if pictures := _outcome(seen, request):
        return pictures
    failures, wait = 0, 0.0
    try:
        for pause in chain(FIRST_PAUSES_S, repeat(LATER_PAUSE_S)):
            yield Pause(max(pause, wait))
            answer = yield from _asked(job, request.prompt)
            if isinstance(answer, ProviderError):
                failures, wait = failures + 1, min(answer.retry_after or 0.0, LONGEST_PAUSE_S)
                if failures > TOLERATED_FAILURES:
                    lost = answer
                    break
                continue
            failures, wait = 0, 0.0
            seen = answer
            if pictures := _outcome(seen, request):
                return pictures
    except Abandoned as abandoned:
        abandoned.spend = yield from _cancelled(job, started=seen.started)
        raise
    # What was seen last is too old by now to call the prediction unstarted.
    lost.spend = yield from _cancelled(job, started=True)
    raise lost


def _asked(job: wire.Job, prompt: str) -> Generator[Step, Reply | None, wire.Prediction | ProviderError]:
    """Ask once. What went wrong is returned, not raised: the next question may go well."""
    try:
        reply = yield from ask(job.poll)
    except Unanswered as unanswered:
        return silent(unanswered, VENDOR, spend=Spend.POSSIBLE)
    if not ok(reply):
        return errors.ask_failed(reply, prompt)
    try:
        seen = wire.read_prediction(reply)
    except UnreadableError:
        return unusable(reply, prompt, VENDOR, spend=Spend.POSSIBLE)
    return seen if seen.state is not None else unusable(reply, prompt, VENDOR, spend=Spend.POSSIBLE)


def _outcome(seen: wire.Prediction, request: ImageRequest) -> tuple[Blob | str, ...]:
    """The finished pictures, or none as long as there is nothing to fetch. Raises when there will never be any.

    Output decides and not the status, which may say ``processing`` a while longer.
    """
    if seen.state in wire.ENDED_BADLY:
        raise errors.prediction_failed(seen, request.prompt)
    succeeded = seen.state is wire.State.SUCCEEDED
    if seen.pictures and (succeeded or len(seen.pictures) >= request.n):
        if seen.substituted:
            raise errors.substituted()
        return seen.pictures
    if succeeded or seen.removed:
        raise errors.no_pictures(seen)
    return ()


def _cancelled(job: wire.Job, *, started: bool) -> Generator[Step, Reply | None, Spend]:
    """Ask Replicate to stop the prediction; what it may bill. One that had not started is free."""
    try:
        reply = yield from ask(job.cancel)
        last = wire.read_prediction(reply)
    except (Unanswered, UnreadableError):
        return Spend.POSSIBLE
    if last.state is wire.State.SUCCEEDED:
        return Spend.CHARGED
    stopped = ok(reply) and last.state in wire.ENDED_BADLY
    return Spend.NONE if stopped and not (started or last.started) else Spend.POSSIBLE
