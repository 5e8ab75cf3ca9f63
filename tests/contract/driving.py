"""Driving a conversation by hand with next, send and throw: no event loop, no network, nothing patched."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.spec.conversation import (
    AsBase64,
    Conversation,
    HttpCall,
    Interim,
    NextEvent,
    Pause,
    Raw,
    Reply,
    Step,
    Unanswered,
)
from providers.spec.errors import ProviderError
from providers.spec.result import ImageResult
from tests.base64_text import text_of

CALL_LIMIT = 20
"""Calls a conversation may still make after its script ended; one that makes more would never give up."""

STEP_LIMIT = 500
LONGEST_PAUSE = 60.0
"""Seconds. An adapter that sleeps longer has not noticed that its request has a deadline."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A blob over bytes in memory. The bytes need not be an image: no adapter looks."""

    content: bytes
    media_type: str = "image/png"

    @property
    def length(self) -> int:
        return len(self.content)

    def read(self) -> bytes:
        return self.content

    def pieces(self) -> Iterator[bytes]:
        yield self.read()

    def base64(self) -> bytes:
        return base64.b64encode(self.content)

    @property
    def ends(self) -> None:
        return None


Answer = Reply | Unanswered
"""What a script holds for each call, and for each event: a reply to send, or the failure to throw. A stream of events
ends with its script."""


def json_reply(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply whose body is this document."""
    given = {"content-type": "application/json", **(headers or {})}
    return Reply(status, given, json.dumps(document).encode())


def text_reply(body: str | bytes, status: int, media_type: str = "text/html") -> Reply:
    """A reply whose body is not JSON, for example the error page of a load balancer."""
    return Reply(status, {"content-type": media_type}, body.encode() if isinstance(body, str) else body)


def image_reply(picture: Picture, status: int = 200) -> Reply:
    """A reply to a call that wanted an image."""
    return Reply(status, {"content-type": picture.media_type}, blob=picture)


@dataclass(slots=True)
class Outcome:
    """How a conversation went: every step it yielded, and its end."""

    steps: list[Step] = field(default_factory=list)
    result: ImageResult | None = None
    error: ProviderError | None = None
    unused: int = 0
    """Answers of the script that were never asked for."""

    @property
    def interims(self) -> list[bytes]:
        return [step.blob.read() for step in self.steps if isinstance(step, Interim)]

    @property
    def calls(self) -> list[HttpCall]:
        return [step for step in self.steps if isinstance(step, HttpCall)]

    def failure(self) -> ProviderError:
        assert self.error is not None, f"a ProviderError was due, but it returned {self.result}"
        return self.error


def drive(conversation: Conversation, script: Iterable[Answer], then: Answer | None = None) -> Outcome:
    """Run a conversation to its end, answering its calls in order; ``then`` answers every call beyond the script.

    Any exception but ProviderError escapes and fails the test, as it would escape into the gateway.
    """
    answers, extra, outcome = list(script), 0, Outcome()
    given = 0
    try:
        step = next(conversation)
        while True:
            outcome.steps.append(step)
            assert len(outcome.steps) <= STEP_LIMIT, "the conversation does not end"
            if isinstance(step, HttpCall | NextEvent) and given < len(answers):
                given += 1
                step = _answer(conversation, answers[given - 1])
            elif not isinstance(step, HttpCall):
                step = _go_on(conversation, step)
            else:
                extra += 1
                assert then is not None, f"call {given + extra} is not in the script: {step.method} {step.url}"
                assert extra <= CALL_LIMIT, "the conversation never gives up"
                step = _answer(conversation, then)
    except StopIteration as end:
        outcome.result = end.value
        check_result(outcome.result)
    except ProviderError as error:
        outcome.error = error
    outcome.unused = len(answers) - given
    return outcome


def pending(conversation: Conversation, script: Sequence[Answer], stop: int) -> Step:
    """Advance until the step number ``stop`` (from 0) was yielded and waits for its answer; that step."""
    answers = list(script)
    step = next(conversation)
    for _ in range(stop):
        if isinstance(step, HttpCall) or (isinstance(step, NextEvent) and answers):
            step = _answer(conversation, answers.pop(0))
        else:
            step = _go_on(conversation, step)
    return step


def check_result(result: object) -> None:
    """A result is whole: at least one blob with an honest face, and counts that are counts."""
    assert isinstance(result, ImageResult)
    assert result.images
    for blob in result.images:
        assert isinstance(blob.media_type, str)
        assert isinstance(blob.length, int)
        assert blob.length >= 0
        assert callable(blob.read)
    if result.usage is not None:
        for name in result.usage.__slots__:
            count = getattr(result.usage, name)
            assert isinstance(count, int), name
            assert not isinstance(count, bool), name
            assert count >= 0, name


def sent_body(call: HttpCall) -> bytes:
    """The body as it goes over the wire, blobs filled in."""
    parts = []
    for part in call.body:
        match part:
            case Raw(blob):
                parts.append(blob.read())
            case AsBase64(blob, prefix):
                parts.append(prefix.encode() + text_of(blob.base64()))
            case bytes():
                parts.append(part)
    return b"".join(parts)


def sent_json(call: HttpCall) -> Any:
    """The JSON document a call sends, None when it sends no body."""
    body = sent_body(call)
    return json.loads(body) if body else None


def _answer(conversation: Conversation, answer: Answer) -> Step:
    return conversation.throw(answer) if isinstance(answer, Unanswered) else conversation.send(answer)


def _go_on(conversation: Conversation, step: Step) -> Step:
    if isinstance(step, Pause):
        assert 0 <= step.seconds <= LONGEST_PAUSE
    return conversation.send(None)
