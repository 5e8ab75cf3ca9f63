"""The call that makes an image: answered at once, or event by event where interim images are wanted."""

from __future__ import annotations

from collections.abc import Generator

from providers.google_dialect.errors import failure, unanswered
from providers.google_dialect.reply import Told, document_of, judged, read_reply
from providers.spec.conversation import Conversation, HttpCall, Interim, NextEvent, Reply, Step, Unanswered, json_body
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult

_HEADERS = {"content-type": "application/json"}


def exchange(model: str, vendor: str, request: ImageRequest, body: object, *, interim: bool) -> Conversation:
    """Ask for one image. ``model`` is the model's path, to which the method is appended; ``vendor`` is the name people
    know the seller by. With ``interim`` the answer is streamed, and at most ``request.partial_images`` of the model's
    thoughts that are images are handed out as they come."""
    method = ":streamGenerateContent?alt=sse" if interim else ":generateContent"
    call = HttpCall("POST", model + method, headers=_HEADERS, body=json_body(body), commits=True, events=interim)
    reply = yield from answered(call, vendor)
    if reply.events:
        return (yield from _followed(vendor, request))
    return read_reply(reply, vendor, request)


def answered(call: HttpCall, vendor: str) -> Generator[Step, Reply | None, Reply]:
    """The reply to a call. Raises ProviderError (UNREACHABLE) when there is none."""
    try:
        reply = yield call
    except Unanswered as silence:
        raise unanswered(vendor, silence) from None
    if reply is None:
        raise TypeError("a call was answered with nothing")
    return reply


def _followed(vendor: str, request: ImageRequest) -> Generator[Step, Reply | None, ImageResult]:
    """Each event is a reply of the same kind as the whole one, with some of its parts
    (https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent). There is no closing mark: the
    last event is the one that states a finish reason."""
    told = Told()
    shown = 0
    while True:
        try:
            event = yield NextEvent()
        except Unanswered as silence:
            raise unanswered(vendor, silence) from None
        if event is None:
            break
        new = Told.of(_document(event, vendor, request, told))
        for thought in new.thought_pictures[: max(request.partial_images - shown, 0)]:
            shown += 1
            yield Interim(thought)
        told = told.followed_by(new)
    if not told.ended:
        detail = "the stream ended without a finish reason"
        raise failure(Fault.BAD_REPLY, vendor, spend=Spend.POSSIBLE, detail=detail)
    return judged(told, vendor, request)


def _document(event: Reply, vendor: str, request: ImageRequest, told: Told) -> object:
    try:
        return document_of(event, vendor, request)
    except ProviderError as failed:
        # Google bills no error of its own, but of images that came before one it says nothing.
        if told.has_pictures and failed.spend is Spend.NONE:
            failed.spend = Spend.POSSIBLE
        raise
