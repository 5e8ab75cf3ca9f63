"""The kit bites: a sound adapter passes, one flaw or one removed mapping makes it fail."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from providers.gemini.adapter import GeminiAdapter
from providers.google_dialect import errors
from providers.spec.adapter import Adapter, Endpoint, ProviderModel
from providers.spec.conversation import (
    Abandoned,
    AbandonReason,
    Conversation,
    HttpCall,
    Pause,
    Reply,
    Step,
    Trust,
    Unanswered,
    json_body,
)
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.excerpt import safe_excerpt
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult
from tests.contract.google_dialect import GoogleContract
from tests.contract.kit import FINAL_IMAGE, AdapterContract, Case, image_reply, json_reply

BASE = "https://toy.example"


class ToyAdapter:
    """A sound adapter of an imaginary vendor with jobs, but for the flaw it is given."""

    name = "toy"
    schemas = frozenset({"toy"})
    endpoint = Endpoint("toy", BASE, frozenset({"media.toy.example"}))

    def __init__(self, flaw: str = "") -> None:
        self.flaw = flaw

    def converse(self, request: ImageRequest, model: ProviderModel) -> Conversation:
        headers = {"Authorization": "Key 1"} if self.flaw == "sends a secret" else {}
        body = json_body({"prompt": request.prompt})
        submit = HttpCall("POST", "/jobs", headers=headers, body=body, commits=True, starts_job=True)
        job = yield from self._ask(submit, request, Spend.NONE)
        cancel = HttpCall("DELETE", self._text(job, "job"), trust=Trust.RESPONSE)
        try:
            yield Pause(1.0)
            trust = Trust.CONFIGURED if self.flaw == "trusts a reply's URL" else Trust.RESPONSE
            again = self.flaw == "pays twice"
            poll = HttpCall("GET", self._text(job, "job"), trust=trust, commits=again)
            done = yield from self._ask(poll, request, Spend.POSSIBLE)
        except Abandoned as abandoned:
            if self.flaw != "leaves its job running":
                with suppress(Unanswered):
                    yield cancel
            if self.flaw == "forgets who abandoned it":
                raise Abandoned(abandoned.reason) from None
            raise
        finally:
            if self.flaw == "yields while closed":
                yield cancel
        media = HttpCall("GET", self._text(done, "url"), trust=Trust.RESPONSE, wants_image=True)
        picture = (yield from self._exchange(media, request, Spend.CHARGED)).blob
        if picture is None:
            raise ProviderError(Fault.BAD_REPLY, "toy sent no image", spend=Spend.CHARGED)
        return ImageResult((picture,))

    def _ask(self, call: HttpCall, request: ImageRequest, spend: Spend) -> Generator[Step, Reply | None, Any]:
        reply = yield from self._exchange(call, request, spend)
        try:
            document = reply.json()
        except ValueError:
            if self.flaw == "trips over garbage":
                raise
            document = None
        if not isinstance(document, dict):
            detail = safe_excerpt(reply, request.prompt)
            raise ProviderError(Fault.BAD_REPLY, "toy was not understood", spend=Spend.POSSIBLE, detail=detail)
        return document

    def _exchange(self, call: HttpCall, request: ImageRequest, spend: Spend) -> Generator[Step, Reply | None, Reply]:
        try:
            reply = yield call
        except Unanswered as silence:
            unsent = spend is Spend.NONE and not silence.sent
            at_risk = Spend.NONE if unsent or self.flaw == "denies what it may have spent" else Spend.POSSIBLE
            raise ProviderError(Fault.UNREACHABLE, "toy could not be reached", spend=at_risk) from None
        assert reply is not None
        if 200 <= reply.status <= 299:
            return reply
        raise self._failure(reply, request, Spend.POSSIBLE if reply.status == 504 else spend)

    def _failure(self, reply: Reply, request: ImageRequest, spend: Spend) -> ProviderError:
        listed = {401: Fault.CREDENTIALS, 403: Fault.CREDENTIALS, 404: Fault.MODEL_GONE, 402: Fault.OUT_OF_FUNDS}
        listed |= {408: Fault.OVERLOADED, 499: Fault.OVERLOADED, 429: Fault.RATE_LIMITED}
        default = Fault.OVERLOADED if reply.status >= 500 else Fault.UNSUPPORTED
        wait = float(reply.headers["retry-after"]) if "retry-after" in reply.headers else None
        message = reply.excerpt() if self.flaw == "repeats the vendor's words" else "toy failed"
        detail = reply.excerpt() if self.flaw == "logs the prompt" else safe_excerpt(reply, request.prompt)
        return ProviderError(
            listed.get(reply.status, default) if reply.status >= 400 else Fault.BAD_REPLY,
            message,
            spend=spend,
            retry_after=wait,
            detail=detail,
        )

    def _text(self, document: Any, key: str) -> str:
        value = document[key] if self.flaw == "believes every field" else document.get(key)
        if isinstance(value, str):
            return value
        raise ProviderError(Fault.BAD_REPLY, "toy named no address", spend=Spend.POSSIBLE)


class ToyContract(AdapterContract):
    has_jobs = True

    def __init__(self, flaw: str = "") -> None:
        self.flaw = flaw

    def adapter(self) -> Adapter:
        return ToyAdapter(self.flaw)

    def model(self) -> ProviderModel:
        return ProviderModel("toy/model", "toy")

    def success(self, request: ImageRequest) -> list[Reply]:
        done = {"url": "https://media.toy.example/1.png"}
        return [json_reply({"job": f"{BASE}/jobs/1"}), json_reply(done), image_reply(FINAL_IMAGE)]

    def cases(self) -> Sequence[Case]:
        said = json_reply({"error": "Simulated words of the vendor"}, 404)
        return [Case("gone", [said], Fault.MODEL_GONE, covers=["status:404"])]

    def tables(self) -> Mapping[str, Collection[object]]:
        return {"status": [404]}


def check(contract: AdapterContract) -> list[str]:
    """Names of the kit's tests that this adapter fails; golden files aside, the toy has none."""
    every_case = [contract.test_a_failure_gives_its_fault_and_spend]
    every_case += [contract.test_an_echoed_prompt_goes_no_further_and_changes_nothing]
    every_case += [contract.test_a_damaged_error_is_still_an_error]
    once: list[Callable[[], None]] = [
        contract.test_a_conversation_delivers_the_image_that_was_asked_for,
        contract.test_conversations_share_no_state,
        contract.test_the_first_call_and_no_other_commits,
        contract.test_every_call_says_where_its_url_came_from,
        contract.test_no_call_carries_a_secret,
        contract.test_every_mapping_has_its_case,
        contract.test_a_stated_wait_is_passed_on,
        contract.test_an_image_that_did_not_come_is_a_bad_reply,
        contract.test_an_error_page_at_any_step_is_a_fault_of_the_vendor,
        contract.test_a_success_with_one_thing_wrong_never_escapes,
        contract.test_closing_a_conversation_at_any_step_is_silent,
        lambda: contract.test_garbage_at_any_step_is_a_bad_reply(b"null"),
        lambda: contract.test_garbage_at_any_step_is_a_bad_reply(b"<html>"),
        lambda: contract.test_no_answer_at_any_call_is_unreachable(sent=True),
        lambda: contract.test_abandoned_at_any_step_it_cancels_its_job_and_says_no_more(AbandonReason.HUNG_UP),
        *(partial(contract.test_every_status_has_a_fault, status) for status in range(400, 600)),
        *(partial(test, case) for case in contract.cases() for test in every_case),
    ]
    failed = []
    for test in once:
        try:
            test()
        except (Exception, pytest.fail.Exception) as problem:  # noqa: BLE001 - whatever a flaw raises fails the test
            failed.append(repr(problem))
    return failed


def test_a_sound_adapter_passes() -> None:
    assert check(ToyContract()) == []


@pytest.mark.parametrize(
    "flaw",
    [
        "sends a secret",
        "trusts a reply's URL",
        "pays twice",
        "leaves its job running",
        "forgets who abandoned it",
        "yields while closed",
        "trips over garbage",
        "denies what it may have spent",
        "repeats the vendor's words",
        "logs the prompt",
        "believes every field",
    ],
)
def test_an_adapter_with_one_flaw_fails(flaw: str) -> None:
    assert check(ToyContract(flaw)) != []


@pytest.mark.parametrize("table", ["REFUSALS", "STATUSES", "CANONICAL", "REASONS", "BAD_INPUT_IMAGE"])
def test_removing_any_one_mapping_fails(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Contract(GoogleContract):
        def adapter(self) -> Adapter:
            return GeminiAdapter()

    Contract().test_every_mapping_has_its_case()
    entries = getattr(errors, table)
    for removed in entries:
        kept = [entry for entry in entries if entry != removed]
        fewer = {entry: entries[entry] for entry in kept} if isinstance(entries, Mapping) else type(entries)(kept)
        monkeypatch.setattr(errors, table, fewer)
        with pytest.raises(AssertionError, match="no longer mapped"):
            Contract().test_every_mapping_has_its_case()


def test_a_mapping_without_a_case_fails() -> None:
    class Contract(ToyContract):
        def tables(self) -> Mapping[str, Collection[object]]:
            return {"status": [404, 418]}

    with pytest.raises(AssertionError, match="no case proves it"):
        Contract().test_every_mapping_has_its_case()
