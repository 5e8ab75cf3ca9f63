"""The contract kit: what every adapter must pass. Subclass AdapterContract, fill in the hooks, and the tests run.

In ``tests/contract/<provider>/test_contract.py``::

    class TestFal(AdapterContract):
        has_jobs = True
        def adapter(self): return FalAdapter()
        def model(self): return ProviderModel("fal-ai/nano-banana-2", "nano-banana-2", edit_id=...)
        def success(self, request): return [json_reply({...submit...}), json_reply({...}), image_reply(FINAL_IMAGE)]
        def cases(self): return [Case("no balance", [json_reply({...}, 403)], Fault.OUT_OF_FUNDS, covers=["detail:x"])]
        def tables(self): return {"detail": errors.DETAILS, "type": errors.TYPES}
        def goldens(self): return {"edit_two_images": self.model(), ...}

Golden files lie beside it in ``golden/<request>.json``; ``GOLDEN=write pytest ...`` writes those that are missing, to
be read by a person before they are committed. A new rule for adapters is a new test here, so that all learn it on the
same day.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from providers.spec.adapter import Adapter, ProviderModel
from providers.spec.conversation import Abandoned, AbandonReason, HttpCall, Reply, Trust, Unanswered
from providers.spec.errors import DETAIL_LIMIT, Fault, ProviderError, Spend
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
from tests.contract.damage import NOT_AN_OBJECT, damaged_replies, texts, with_texts_changed
from tests.contract.driving import (
    Answer,
    Outcome,
    Picture,
    drive,
    image_reply,
    json_reply,
    pending,
    sent_json,
    text_reply,
)

__all__ = [
    "FINAL_IMAGE",
    "INTERIM_IMAGE",
    "PROMPT",
    "REQUESTS",
    "AdapterContract",
    "Answer",
    "Case",
    "Outcome",
    "Picture",
    "drive",
    "image_reply",
    "json_reply",
    "pending",
    "sent_json",
    "text_reply",
]

PROMPT = 'a "quoted" canary sings in the harbour of Malmö at dawn'
"""Quotes and a letter beyond ASCII, so that an echo in any escaping is noticed."""

FINAL_IMAGE = Picture(b"the image that was asked for")
INTERIM_IMAGE = Picture(b"an earlier image that must not be delivered")
FIRST_INPUT = Picture(b"first input image")
SECOND_INPUT = Picture(b"second input image", "image/jpeg")

_PLAIN = ImageRequest("public-model", PROMPT, aspect_ratio="16:9", resolution=Resolution.R2K, pixels=(2752, 1536))
_EDIT = replace(_PLAIN, operation=Operation.EDIT, images=(FIRST_INPUT,), resolution=Resolution.R1K)

REQUESTS: Mapping[str, ImageRequest] = {
    "generate_ratio_2k": _PLAIN,
    "generate_nothing_asked": replace(_PLAIN, aspect_ratio=None, resolution=Resolution.R1K, pixels=None),
    "generate_512": replace(_PLAIN, aspect_ratio="1:1", resolution=Resolution.R512, pixels=(512, 512)),
    "generate_4k": replace(_PLAIN, aspect_ratio="21:9", resolution=Resolution.R4K, pixels=(6336, 2688)),
    "generate_no_tier": replace(_PLAIN, resolution=None),
    "edit_one_image_no_ratio": replace(_EDIT, aspect_ratio=None, pixels=None),
    "edit_two_images": replace(_EDIT, images=(FIRST_INPUT, SECOND_INPUT)),
    "format_png": replace(_PLAIN, output_format=OutputFormat.PNG),
    "format_jpeg": replace(_PLAIN, output_format=OutputFormat.JPEG),
    "format_webp": replace(_PLAIN, output_format=OutputFormat.WEBP),
    "seed": replace(_PLAIN, seed=7),
    "web_search": replace(_PLAIN, web_search=True),
    "thinking_minimal": replace(_PLAIN, thinking="minimal"),
    "thinking_high": replace(_PLAIN, thinking="high"),
    "extras": replace(_PLAIN, system_prompt="Flat vector style."),
}
"""Requests worth a golden body; an adapter names those its vendor can take."""

UNLISTED_STATUS: Mapping[int, Fault] = {
    401: Fault.CREDENTIALS,
    402: Fault.OUT_OF_FUNDS,
    403: Fault.CREDENTIALS,
    404: Fault.MODEL_GONE,
    408: Fault.OVERLOADED,
    429: Fault.RATE_LIMITED,
    499: Fault.OVERLOADED,
}
"""What a bare status means on the committing call; every other 4xx is UNSUPPORTED, every 5xx OVERLOADED."""

_SECRET_HEADERS = ("authorization", "cookie", "x-goog-api-key", "x-api-key", "api-key", "proxy-authorization")


@dataclass(frozen=True, slots=True)
class Case:
    """One way to fail: what the vendor answers, in order, and what must come of it. All answers must be asked for."""

    name: str
    answers: Sequence[Answer]
    fault: Fault
    spend: Spend = Spend.NONE
    retry_after: float | None = None
    covers: Collection[str] = ()
    """Entries of the adapter's tables this case proves, as ``table:key``."""
    request: ImageRequest = _PLAIN
    parameter: str | None = None


class AdapterContract:
    """Tests of one adapter. Hooks first; everything named ``test_`` is the contract."""

    has_jobs: ClassVar[bool] = False
    """The vendor accepts jobs that can be cancelled. ``success`` must then show the job unfinished at least once."""
    statuses: ClassVar[Mapping[int, Fault]] = {}
    """Where this vendor's documentation departs from UNLISTED_STATUS."""

    def adapter(self) -> Adapter:
        raise NotImplementedError

    def model(self) -> ProviderModel:
        """The model cases and success scripts are about; it must be able to do ``request()``."""
        raise NotImplementedError

    def request(self) -> ImageRequest:
        return _PLAIN

    def success(self, request: ImageRequest) -> list[Reply]:
        """Replies to every call of a conversation that delivers FINAL_IMAGE as its only image."""
        raise NotImplementedError

    def cases(self) -> Sequence[Case]:
        raise NotImplementedError

    def tables(self) -> Mapping[str, Collection[object]]:
        """The adapter's classification tables by name. Each key needs a case that ``covers`` it, as ``name:key``."""
        raise NotImplementedError

    def goldens(self) -> Mapping[str, ProviderModel]:
        """Names of REQUESTS (or of ``more_requests``) with a golden file, and the model each goes to."""
        raise NotImplementedError

    def more_requests(self) -> Mapping[str, ImageRequest]:
        """Requests of this vendor alone worth a golden body."""
        return {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "case" in metafunc.fixturenames:
            metafunc.parametrize("case", self.cases(), ids=lambda case: case.name)
        if "golden" in metafunc.fixturenames:
            metafunc.parametrize("golden", sorted(self.goldens()))
        if "status" in metafunc.fixturenames:
            metafunc.parametrize("status", range(400, 600))

    # Success

    def test_a_conversation_delivers_the_image_that_was_asked_for(self) -> None:
        outcome = self._drive(self.success(self.request()))
        assert outcome.result is not None, outcome.error
        assert outcome.unused == 0
        assert [blob.read() for blob in outcome.result.images] == [FINAL_IMAGE.content]

    def test_conversations_share_no_state(self) -> None:
        adapter, request = self.adapter(), self.request()
        script = self.success(request)
        first, second = (adapter.converse(request, self.model()) for _ in range(2))
        stop = len(drive(adapter.converse(request, self.model()), script).steps) - 1
        assert pending(first, script, stop) == pending(second, script, stop)

    def test_a_conversation_raises_nothing_before_its_first_step(self) -> None:
        self.adapter().converse(self.request(), ProviderModel("", "no such schema"))

    def test_the_model_speaks_a_schema_the_adapter_names(self) -> None:
        assert self.model().schema in self.adapter().schemas
        assert {model.schema for model in self.goldens().values()} == self.adapter().schemas

    # Calls

    def test_the_first_call_and_no_other_commits(self) -> None:
        calls = self._drive(self.success(self.request())).calls
        assert [call.commits for call in calls] == [True] + [False] * (len(calls) - 1)
        assert [call.starts_job for call in calls] == [self.has_jobs] + [False] * (len(calls) - 1)

    def test_every_call_says_where_its_url_came_from(self) -> None:
        script = self.success(self.request())
        moved = [
            with_texts_changed(
                reply, {"https://": "https://elsewhere.invalid/", "http://": "http://elsewhere.invalid/"}
            )
            for reply in script
        ]
        for answers in (script, moved):
            heard = ""
            for call, reply in zip(self._drive(answers).calls, answers, strict=True):
                if call.url in heard:
                    assert call.trust is Trust.RESPONSE, call
                else:
                    assert call.trust is Trust.CONFIGURED, call
                    assert call.url.startswith("/"), call
                heard += "\n".join(texts(reply)) + "\n"

    def test_no_call_carries_a_secret(self) -> None:
        for call in self._drive(self.success(self.request())).calls:
            assert not [name for name in call.headers if name.lower() in _SECRET_HEADERS]
            assert "key=" not in urlsplit(call.url).query

    def test_the_endpoint_is_where_it_says(self) -> None:
        endpoint = self.adapter().endpoint
        assert endpoint.provider == self.adapter().name
        assert urlsplit(endpoint.base_url).scheme == "https"
        assert not endpoint.base_url.endswith("/")

    def test_the_request_is_worded_as_in_the_golden_file(self, golden: str) -> None:
        request = {**REQUESTS, **self.more_requests()}[golden]
        call = pending(self.adapter().converse(request, self.goldens()[golden]), (), 0)
        assert isinstance(call, HttpCall)
        worded = {"method": call.method, "url": call.url, "headers": dict(call.headers), "body": sent_json(call)}
        path = self._golden_folder() / f"{golden}.json"
        if os.environ.get("GOLDEN") == "write" and not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(worded, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        assert worded == json.loads(path.read_text(encoding="utf-8"))

    def test_every_golden_file_has_its_request(self) -> None:
        assert {path.stem for path in self._golden_folder().glob("*.json")} == set(self.goldens())

    # Failures the vendor states

    def test_a_failure_gives_its_fault_and_spend(self, case: Case) -> None:
        outcome = self._drive(case.answers, request=case.request)
        error = outcome.failure()
        assert (error.fault, error.spend) == (case.fault, case.spend), error.detail
        assert error.retry_after == case.retry_after
        assert error.parameter == case.parameter
        assert outcome.unused == 0
        self._check_words(error, case)

    def test_an_echoed_prompt_goes_no_further_and_changes_nothing(self, case: Case) -> None:
        echoing = [with_texts_changed(a, PROMPT) if isinstance(a, Reply) else a for a in case.answers]
        error = self._drive(echoing, request=case.request).failure()
        assert (error.fault, error.spend) == (case.fault, case.spend), error.detail
        self._check_words(error, replace(case, answers=echoing))

    def test_a_damaged_error_is_still_an_error(self, case: Case) -> None:
        for index, answer in enumerate(case.answers):
            if not isinstance(answer, Reply):
                continue
            for where, damaged in damaged_replies(answer):
                answers = [*case.answers[:index], damaged, *case.answers[index + 1 :]]
                outcome = self._drive(answers, json_reply({}), request=case.request, about=where)
                if damaged.status >= 400 and index == 0:
                    assert outcome.error is not None, where
                if outcome.error is not None:
                    self._check_words(outcome.error, case)

    def test_every_mapping_has_its_case(self) -> None:
        listed = {f"{name}:{key}" for name, table in self.tables().items() for key in table}
        covered = {entry for case in self.cases() for entry in case.covers}
        assert sorted(listed - covered) == [], "mapped, but no case proves it"
        assert sorted(covered - listed) == [], "proved by a case, but no longer mapped"

    def test_case_names_differ(self) -> None:
        names = [case.name for case in self.cases()]
        assert len(names) == len(set(names))

    def test_every_status_has_a_fault(self, status: int) -> None:
        default = Fault.OVERLOADED if status >= 500 else Fault.UNSUPPORTED
        expected = {**UNLISTED_STATUS, **self.statuses}.get(status, default)
        for body in (b"", b"{}", b"<html>nothing to see</html>", b'{"error": null, "detail": null}', b"[[]]"):
            error = self._drive([Reply(status, {}, body)]).failure()
            assert error.fault is expected, body
            assert error.spend is (Spend.POSSIBLE if status == 504 else Spend.NONE), body
            assert error.retry_after is None

    def test_a_stated_wait_is_passed_on(self) -> None:
        for status in (429, 503):
            error = self._drive([Reply(status, {"retry-after": "17"}, b"{}")]).failure()
            assert error.retry_after == 17.0

    def test_a_reply_that_is_neither_success_nor_error_is_a_bad_reply(self) -> None:
        for status in (204, 301, 302, 304, 399):
            assert (
                self._drive([Reply(status, {"location": "https://x.invalid"}, b"")]).failure().fault is Fault.BAD_REPLY
            )

    # Garbage

    @pytest.mark.parametrize("body", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT.keys())
    def test_garbage_at_any_step_is_a_bad_reply(self, body: bytes) -> None:
        garbage = Reply(200, {"content-type": "application/json"}, body)
        for index, call, before in self._calls_of_success():
            if call.wants_image:
                self._drive([*before, replace(garbage, blob=Picture(body))], garbage)
                continue
            error = self._drive(before, garbage).failure()
            assert error.fault is Fault.BAD_REPLY
            assert error.spend is not Spend.NONE, f"at call {index} the vendor may well have done the work"
            self._check_words(error)

    def test_an_image_that_did_not_come_is_a_bad_reply(self) -> None:
        for _, call, before in self._calls_of_success():
            if call.wants_image:
                error = self._drive(before, Reply(200, {"content-type": "image/png"})).failure()
                assert (error.fault, error.spend) == (Fault.BAD_REPLY, Spend.CHARGED)

    def test_an_error_page_at_any_step_is_a_fault_of_the_vendor(self) -> None:
        for index, _, before in self._calls_of_success():
            error = self._drive(before, text_reply(f"<html>502 Bad Gateway {PROMPT}</html>", 502)).failure()
            assert error.fault in {Fault.OVERLOADED, Fault.UNREACHABLE, Fault.BAD_REPLY}
            assert (error.spend is Spend.NONE) == (index == 0)
            self._check_words(error)

    def test_a_success_with_one_thing_wrong_never_escapes(self) -> None:
        script = self.success(self.request())
        for index, reply in enumerate(script):
            for where, damaged in damaged_replies(reply):
                answers = [*script[:index], damaged, *script[index + 1 :]]
                outcome = self._drive(answers, json_reply({}), about=where)
                assert outcome.error is None or outcome.error.message, where

    # No answer, and ending early

    @pytest.mark.parametrize("sent", [False, True])
    def test_no_answer_at_any_call_is_unreachable(self, sent: bool) -> None:
        for index, _, before in self._calls_of_success():
            error = self._drive(before, Unanswered("connection reset", sent=sent)).failure()
            assert error.fault is Fault.UNREACHABLE
            if index == 0:
                assert error.spend is (Spend.POSSIBLE if sent else Spend.NONE)
            else:
                assert error.spend is not Spend.NONE, "a job was accepted"

    @pytest.mark.parametrize("reason", AbandonReason)
    def test_abandoned_at_any_step_it_cancels_its_job_and_says_no_more(self, reason: AbandonReason) -> None:
        steps = self._drive(self.success(self.request())).steps
        calls = [number for number, step in enumerate(steps) if isinstance(step, HttpCall)]
        must_cancel = range(1, calls[1] + 1) if self.has_jobs else range(0)
        for stop in range(len(steps)):
            for answer in _CANCEL_ANSWERS:
                abandoned = Abandoned(reason)
                cancelled = self._abandon(stop, abandoned, answer)
                assert cancelled or stop not in must_cancel, f"step {stop} left its job running"
                assert abandoned.spend is None or isinstance(abandoned.spend, Spend)

    def test_closing_a_conversation_at_any_step_is_silent(self) -> None:
        script = self.success(self.request())
        for stop in range(len(self._drive(script).steps)):
            conversation = self.adapter().converse(self.request(), self.model())
            pending(conversation, script, stop)
            conversation.close()
            if not self.has_jobs:
                continue
            conversation = self.adapter().converse(self.request(), self.model())
            pending(conversation, script, stop)
            try:
                conversation.throw(Abandoned(AbandonReason.HUNG_UP))
            except Abandoned:
                continue
            conversation.close()

    # How the tests look

    def _abandon(self, stop: int, abandoned: Abandoned, answer: Answer) -> bool:
        """Throw Abandoned at that step; whether a cancel call was made. Exactly ``abandoned`` must come back."""
        conversation = self.adapter().converse(self.request(), self.model())
        pending(conversation, self.success(self.request()), stop)
        cancelled = False
        try:
            cancel = conversation.throw(abandoned)
            cancelled = True
            assert self.has_jobs, "there is nothing to cancel"
            assert stop > 0, "no job is known before the first reply"
            assert isinstance(cancel, HttpCall)
            assert (cancel.commits, cancel.starts_job, cancel.wants_image) == (False, False, False)
            assert cancel.method in {"PUT", "POST", "DELETE"}
            answered = conversation.throw(answer) if isinstance(answer, Unanswered) else conversation.send(answer)
        except Abandoned as returned:
            if returned is not abandoned:
                pytest.fail("it raised another Abandoned than the one thrown in")
            return cancelled
        pytest.fail(f"after its cancel call it went on with {answered}")

    def _drive(
        self,
        answers: Sequence[Answer],
        then: Answer | None = None,
        *,
        request: ImageRequest | None = None,
        about: str = "",
    ) -> Outcome:
        conversation = self.adapter().converse(request or self.request(), self.model())
        try:
            return drive(conversation, answers, then)
        except Exception as escaped:
            escaped.add_note(f"damage: {about}")
            raise

    def _calls_of_success(self) -> Iterator[tuple[int, HttpCall, list[Reply]]]:
        """Each call of a success with its number and the replies that lead up to it."""
        script = self.success(self.request())
        for index, call in enumerate(self._drive(script).calls):
            yield index, call, script[:index]

    def _check_words(self, error: ProviderError, case: Case | None = None) -> None:
        """The caller's sentence is ours; the operator's excerpt is bounded and repeats no prompt."""
        assert error.message
        assert len(error.detail) <= DETAIL_LIMIT
        for said in (error.message, error.detail, str(error)):
            assert "canary" not in said
            assert "Malm" not in said
        for answer in case.answers if case else ():
            for text in texts(answer) if isinstance(answer, Reply) else ():
                assert len(text) < 8 or text not in error.message, "the vendor's words reached the caller"

    def _golden_folder(self) -> Path:
        return Path(inspect.getfile(type(self))).parent / "golden"


_CANCEL_ANSWERS: Sequence[Answer] = (
    json_reply({}, 202),
    *(Reply(200, {}, body) for body in NOT_AN_OBJECT.values()),
    json_reply({"detail": None}, 404),
    text_reply("<html>bad gateway</html>", 502),
    Unanswered("refused", sent=False),
    Unanswered("cut short", sent=True),
)
"""What may come of a cancel call. None of it may change how the conversation ends."""
