"""The generateContent reply: which picture in it is the answer, what was counted, and why there may be none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.google_dialect.errors import REFUSALS, error_object, failure, stated_error
from providers.google_dialect.inline import Labelled
from providers.google_dialect.shapes import an_object, objects, text
from providers.spec.blob import Blob, InlineBlob
from providers.spec.conversation import Reply
from providers.spec.errors import Fault, Spend
from providers.spec.excerpt import safe_excerpt, safe_text
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult, Usage, Warning

FINISHED = frozenset({"STOP", ""})
"""``finishReason`` of a model that is content with what it made; some replies leave it out."""

_COUNT_LIMIT = 2**53
"""Beyond this a JSON number is no count of tokens."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """The parts of a reply that matter, whatever was missing or of the wrong kind."""

    finish_reasons: tuple[str, ...]
    block_reason: str
    pictures: tuple[Blob, ...]
    thought_pictures: tuple[Blob, ...]
    said: str
    """What the model says instead of a picture, or the vendor about withholding it."""


def read_reply(reply: Reply, vendor: str, request: ImageRequest, warnings: tuple[Warning, ...] = ()) -> ImageResult:
    """The delivered image. Raises ProviderError when the reply holds none.

    A refusal is a refusal even with a picture beside it: what comes then is a placeholder. A 2xx that cannot be read
    may have been billed (POSSIBLE); one that says it has no image is not, but for input tokens worth a fraction of a
    cent.
    """
    if not 200 <= reply.status <= 299 or error_object(reply):
        raise stated_error(reply, vendor, request)
    try:
        document = reply.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        detail = safe_excerpt(reply, request.prompt)
        raise failure(Fault.BAD_REPLY, vendor, spend=Spend.POSSIBLE, detail=detail)
    answer = _answer(document)
    if answer.block_reason or REFUSALS.intersection(answer.finish_reasons):
        raise failure(Fault.CONTENT_REFUSED, vendor, detail=_detail(answer, request))
    picture = _picture(answer)
    if picture is None:
        raise failure(Fault.BAD_REPLY, vendor, detail=_detail(answer, request))
    return ImageResult((picture,), _usage(document.get("usageMetadata")), warnings)


def _picture(answer: _Answer) -> Blob | None:
    """The last picture that is not a thought: a first one of a default size may come before the one asked for
    (https://github.com/googleapis/js-genai/issues/1461). The Pro model at times marks its only picture as a thought;
    that one counts when the model says it finished, and not when it says it has no image."""
    if answer.pictures:
        return answer.pictures[-1]
    if answer.thought_pictures and FINISHED.issuperset(answer.finish_reasons):
        return answer.thought_pictures[-1]
    return None


def _answer(document: Mapping[str, Any]) -> _Answer:
    candidates = objects(document.get("candidates"))
    feedback = an_object(document.get("promptFeedback"))
    parts = [part for candidate in candidates for part in objects(an_object(candidate.get("content")).get("parts"))]
    thoughts = [part for part in parts if part.get("thought") is True]
    spoken = [part for part in parts if part.get("thought") is not True]
    return _Answer(
        finish_reasons=tuple(text(candidate.get("finishReason")) for candidate in candidates),
        block_reason=text(feedback.get("blockReason")),
        pictures=_pictures(spoken),
        thought_pictures=_pictures(thoughts),
        said=" ".join(
            words
            for words in (
                text(feedback.get("blockReasonMessage")),
                *(text(candidate.get("finishMessage")) for candidate in candidates),
                *(text(part.get("text")) for part in spoken),
            )
            if words
        ),
    )


def _pictures(parts: list[Mapping[str, Any]]) -> tuple[Blob, ...]:
    return tuple(blob for part in parts if (blob := _inline_image(an_object(part.get("inlineData")))) is not None)


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
    return sum(_count(entry.get("tokenCount")) for entry in details if entry.get("modality") == modality)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _COUNT_LIMIT else 0


def _detail(answer: _Answer, request: ImageRequest) -> str:
    """For the operator: the reasons stated, and what the model said unless it repeats the prompt."""
    reasons = ", ".join(filter(None, (answer.block_reason, *answer.finish_reasons))) or "no reason stated"
    said = safe_text(answer.said, request.prompt)
    return safe_text(reasons, request.prompt) + (f": {said}" if said else "")
