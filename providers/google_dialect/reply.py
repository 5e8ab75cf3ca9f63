"""The generateContent reply: which picture in it is the answer, what was counted, and why there may be none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.google_dialect.errors import REFUSALS, error_in, failure, stated_error
from providers.google_dialect.inline import Labelled
from providers.google_dialect.shapes import an_object, objects, text
from providers.spec.blob import Blob, InlineBlob
from providers.spec.conversation import Reply
from providers.spec.errors import DETAIL_LIMIT, Fault, Spend
from providers.spec.excerpt import safe_excerpt, safe_text
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult, Usage
from providers.spec.unguarded import unguarded

FINISHED = frozenset({"STOP"})
"""``finishReason`` of a model that is content with what it made; some whole replies leave it out."""

_WORDS = 50
"""Texts that are kept of a stream, each cut at what an operator may read of all of them."""

_COUNT_LIMIT = 2**53
"""Beyond this a JSON number is no count of tokens."""


@unguarded
@dataclass(frozen=True, slots=True)
class Told:
    """The parts of an answer that matter, whatever was missing or of the wrong kind: of a whole one, or of as much of a
    stream as has come. Only the last picture of each kind is kept of those that came before."""

    finish_reasons: tuple[str, ...] = ()
    """Those stated."""
    block_reason: str = ""
    pictures: tuple[Blob, ...] = ()
    thought_pictures: tuple[Blob, ...] = ()
    said: tuple[str, ...] = ()
    """What the model says instead of a picture, or the vendor about withholding it; the beginning is enough."""
    usage: object = None

    @staticmethod
    def of(document: object) -> Told:
        """What one reply or one event tells."""
        told = an_object(document)
        reasons: list[str] = []
        pictures: list[Blob] = []
        thought_pictures: list[Blob] = []
        messages: list[str] = []
        texts: list[str] = []
        feedback = an_object(told.get("promptFeedback"))
        if message := text(feedback.get("blockReasonMessage")):
            messages.append(message)
        for candidate in objects(told.get("candidates")):
            if reason := text(candidate.get("finishReason")):
                reasons.append(reason)
            if message := text(candidate.get("finishMessage")):
                messages.append(message)
            for part in objects(an_object(candidate.get("content")).get("parts")):
                is_thought = part.get("thought") is True
                if not is_thought and (said := text(part.get("text"))):
                    texts.append(said)
                inline = part.get("inlineData")
                if isinstance(inline, dict) and (picture := _inline_image(inline)) is not None:
                    (thought_pictures if is_thought else pictures).append(picture)
        return Told(
            finish_reasons=tuple(reasons),
            block_reason=text(feedback.get("blockReason")),
            pictures=tuple(pictures),
            thought_pictures=tuple(thought_pictures),
            said=tuple([said[:DETAIL_LIMIT] for said in messages + texts]) if messages or texts else (),
            usage=told.get("usageMetadata"),
        )

    def followed_by(self, later: Told) -> Told:
        """Both together. Counts are the later ones: each event counts all that came before it as well."""
        return Told(
            finish_reasons=tuple(dict.fromkeys(self.finish_reasons + later.finish_reasons)),
            block_reason=self.block_reason or later.block_reason,
            pictures=(self.pictures + later.pictures)[-1:],
            thought_pictures=(self.thought_pictures + later.thought_pictures)[-1:],
            said=(self.said + later.said)[:_WORDS],
            usage=later.usage if later.usage is not None else self.usage,
        )

    @property
    def ended(self) -> bool:
        """Whether the model said why it stopped, or the prompt was not let through to it."""
        return bool(self.finish_reasons or self.block_reason)

    @property
    def has_pictures(self) -> bool:
        """Whether any came, thoughts included."""
        return bool(self.pictures or self.thought_pictures)


def read_reply(reply: Reply, vendor: str, request: ImageRequest) -> ImageResult:
    """The image a whole reply delivers. Raises ProviderError when it holds none."""
    return judged(Told.of(document_of(reply, vendor, request)), vendor, request)


def document_of(reply: Reply, vendor: str, request: ImageRequest) -> Mapping[str, Any]:
    """The JSON of a reply, or of one event. Raises ProviderError for what is an error, and for what is not JSON: a 2xx
    that cannot be read may have been billed (POSSIBLE)."""
    try:
        document = reply.json()
    except ValueError:
        document = None
    if not 200 <= reply.status <= 299 or error_in(document):
        raise stated_error(reply, vendor, request)
    if not isinstance(document, dict):
        detail = safe_excerpt(reply, request.prompt)
        raise failure(Fault.BAD_REPLY, vendor, spend=Spend.POSSIBLE, detail=detail)
    return document


def judged(told: Told, vendor: str, request: ImageRequest) -> ImageResult:
    """The delivered image. Raises ProviderError when there is none.

    A refusal is a refusal even with a picture beside it: what comes then is a placeholder. An answer that says it has
    no image is not billed, but for input tokens worth a fraction of a cent.
    """
    if told.block_reason or not REFUSALS.isdisjoint(told.finish_reasons):
        raise failure(Fault.CONTENT_REFUSED, vendor, detail=_detail(told, request))
    picture = _picture(told)
    if picture is None:
        raise failure(Fault.BAD_REPLY, vendor, detail=_detail(told, request))
    return ImageResult((picture,), _usage(told.usage))


def _picture(told: Told) -> Blob | None:
    """The last picture that is not a thought: a first one of a default size may come before the one asked for
    (https://github.com/googleapis/js-genai/issues/1461). The Pro model at times marks its only picture as a thought;
    that one counts when the model says it finished, and not when it says it has no image."""
    if told.pictures:
        return told.pictures[-1]
    if told.thought_pictures and FINISHED.issuperset(told.finish_reasons):
        return told.thought_pictures[-1]
    return None


def _inline_image(inline: Mapping[str, Any]) -> Blob | None:
    """An inline part's image: long data arrives as a blob, short data as text. Sound and video are no images."""
    media_type, data = text(inline.get("mimeType")).lower(), inline.get("data")
    if media_type and not media_type.startswith("image/"):
        return None
    if isinstance(data, str):
        return InlineBlob(data, media_type) if data else None
    if data is None or isinstance(data, bool | int | float | list | dict):
        return None
    return Labelled(data, media_type)


def _usage(counted: object) -> Usage | None:
    """Token counts. Thoughts are output, a tool's findings are input: that is how they are billed. Image tokens are
    read from the details; a reply without any has all its candidates' tokens counted as image."""
    if not isinstance(counted, dict) or not counted:
        return None
    candidates, thoughts = _count(counted.get("candidatesTokenCount")), _count(counted.get("thoughtsTokenCount"))
    details = objects(counted.get("candidatesTokensDetails"))
    asked = objects(counted.get("promptTokensDetails"))
    return Usage(
        input_tokens=_count(counted.get("promptTokenCount")) + _count(counted.get("toolUsePromptTokenCount")),
        output_tokens=candidates + thoughts,
        input_text_tokens=_counted(asked, "TEXT"),
        input_image_tokens=_counted(asked, "IMAGE"),
        output_image_tokens=_counted(details, "IMAGE") if details else candidates,
        thought_tokens=thoughts,
    )


def _counted(details: list[Mapping[str, Any]], modality: str) -> int:
    counted = 0
    for entry in details:
        if entry.get("modality") == modality:
            counted += _count(entry.get("tokenCount"))
    return counted


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < _COUNT_LIMIT else 0  # true and false are ints as well


def _detail(told: Told, request: ImageRequest) -> str:
    """For the operator: the reasons stated, and what the model said unless it repeats the prompt."""
    reasons = ", ".join(filter(None, (told.block_reason, *told.finish_reasons))) or "no reason stated"
    said = safe_text(" ".join(told.said), request.prompt)
    return safe_text(reasons, request.prompt) + (f": {said}" if said else "")
