"""What is the same in the contracts of vendors with jobs: trouble that is nobody's own, uploads, and their models'
requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from providers.spec.conversation import Abandoned, AbandonReason, Raw, Reply, Trust, Unanswered
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, Resolution, Safety
from tests.contract.damage import NOT_AN_OBJECT, damaged_replies, texts
from tests.contract.driving import sent_body
from tests.contract.kit import (
    PROMPT,
    REQUESTS,
    UNLISTED_STATUS,
    AdapterContract,
    Answer,
    Case,
    Outcome,
    Picture,
    drive,
    json_reply,
    pending,
    text_reply,
)

HTML_502 = text_reply("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", 502)
RESET = Unanswered("the connection broke", sent=True)

LOAD_BALANCER_GAVE_UP = Case(
    "a load balancer that waited", [text_reply("<html>504</html>", 504)], Fault.OVERLOADED, Spend.POSSIBLE
)

FLUX_REQUEST = replace(REQUESTS["generate_ratio_2k"], resolution=Resolution.R1K, pixels=(1344, 768))
"""A request FLUX can take: it makes no 2K images."""

SMALL_INPUT = Picture(b"small input image")
LARGE_INPUT = Picture(b"large input image " * 200_000, "image/jpeg")
"""3.6 MB: more than any of these vendors is sent within a request."""


def files_lost(delivered: Sequence[Answer]) -> tuple[Case, ...]:
    """The ways to lose the file of a job that ended well; ``delivered`` leads up to its only download."""
    return (
        Case("the file is gone", [*delivered, *[json_reply({}, 404)] * 3], Fault.UNREACHABLE, Spend.CHARGED),
        Case("the file never comes", [*delivered, HTML_502, RESET, RESET], Fault.UNREACHABLE, Spend.CHARGED),
    )


class JobContract(AdapterContract):
    """The contract of a vendor with jobs that sells the nano-banana family and FLUX, and takes uploads."""

    has_jobs = True
    reads_uploads: ClassVar[Sequence[bool]]
    """For each call of an upload, whether its reply must say something."""
    keyed_uploads: ClassVar[Sequence[bool]]
    """For each call of an upload, whether it is made to the vendor itself and so about the gateway's key."""

    def more_requests(self) -> Mapping[str, ImageRequest]:
        editing = REQUESTS["edit_one_image_no_ratio"]
        return {
            "pro_edit_4k": replace(editing, resolution=Resolution.R4K, aspect_ratio="2:3"),
            "pro_safety_strict": replace(REQUESTS["generate_ratio_2k"], safety=Safety.STRICT),
            "pro_safety_standard": replace(REQUESTS["generate_ratio_2k"], safety=Safety.STANDARD),
            "pro_safety_relaxed": replace(REQUESTS["generate_ratio_2k"], safety=Safety.RELAXED),
            "first_generate_nothing_asked": REQUESTS["generate_nothing_asked"],
            "first_edit": editing,
            "flux_wide": FLUX_REQUEST,
        }

    def uploaded(self, number: int) -> list[Reply]:
        """Replies to every call of the upload with this number, from 1."""
        raise NotImplementedError

    def uploading(self) -> ImageRequest:
        """A request with an image between two that are uploaded."""
        return replace(REQUESTS["edit_two_images"], images=(LARGE_INPUT, SMALL_INPUT, LARGE_INPUT))

    # Input images

    def test_large_images_are_uploaded_in_order_and_small_ones_stand_in_the_request(self) -> None:
        outcome = self._uploads(self._whole_script())
        assert outcome.result is not None, outcome.error
        assert outcome.unused == 0
        before = outcome.calls[: self._committing()]
        bodies = [part.blob for call in before for part in call.body if isinstance(part, Raw)]
        assert bodies == [LARGE_INPUT, LARGE_INPUT]
        document = sent_body(outcome.calls[self._committing()]).decode()
        assert "large input image" not in document
        assert document.count("data:image/") == 1
        said = [text for number in (1, 2) for reply in self.uploaded(number) for text in texts(reply)]
        used = [text for text in said if text in document and "://" in text]
        assert len(used) == 2
        assert document.index(used[0]) < document.index("data:image/png;base64,") < document.index(used[1])

    def test_nothing_is_bought_before_every_image_has_arrived(self) -> None:
        calls = self._uploads(self._whole_script()).calls
        assert [call.commits for call in calls].index(True) == self._committing()
        assert not any(call.commits or call.starts_job or call.wants_image for call in calls[: self._committing()])
        assert sum(call.commits for call in calls) == 1

    def test_every_upload_says_where_its_url_came_from(self) -> None:
        script = self._whole_script()
        endpoint = self.adapter().endpoint
        heard: set[str] = set()
        for call, reply in zip(self._uploads(script).calls, script, strict=True):
            if call.url in heard:
                assert call.trust is Trust.RESPONSE, call
            else:
                assert call.trust is Trust.CONFIGURED, call
                assert call.url.startswith(("/", *(f"{base}/" for base in endpoint.also))), call
            heard.update(texts(reply))

    def test_an_upload_carries_no_prompt(self) -> None:
        for call in self._uploads(self._whole_script()).calls[: self._committing()]:
            assert b"canary" not in sent_body(call)

    @pytest.mark.parametrize("sent", [False, True])
    def test_an_upload_without_an_answer_is_unreachable_and_free(self, sent: bool) -> None:
        for _, before in self._upload_steps():
            error = self._uploads([*before, Unanswered("connection reset", sent=sent)]).failure()
            assert (error.fault, error.spend) == (Fault.UNREACHABLE, Spend.NONE)

    def test_every_status_of_an_upload_has_a_fault_and_is_free(self, status: int) -> None:
        unlisted = Fault.OVERLOADED if status >= 500 else Fault.UNSUPPORTED
        # That there is no such place for files says nothing about the model.
        expected = {**UNLISTED_STATUS, 404: Fault.UNSUPPORTED}.get(status, unlisted)
        for index, before in self._upload_steps():
            fault = expected
            if status in {401, 402, 403} and not self.keyed_uploads[index % len(self.keyed_uploads)]:
                fault = Fault.BAD_REPLY
            for body in (b"", b'{"detail": "file_too_large"}', b"<Error><Code>no</Code></Error>"):
                error = self._uploads([*before, Reply(status, {"retry-after": "17"}, body)]).failure()
                assert (error.fault, error.spend, error.retry_after) == (fault, Spend.NONE, 17.0)
                assert error.parameter == ("image" if fault is Fault.UNSUPPORTED else None)

    @pytest.mark.parametrize("body", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT.keys())
    def test_garbage_in_answer_to_an_upload_is_a_bad_reply_and_free(self, body: bytes) -> None:
        for index, before in self._upload_steps():
            if self.reads_uploads[index % len(self.reads_uploads)]:
                error = self._uploads([*before, Reply(200, {}, body)]).failure()
                assert (error.fault, error.spend) == (Fault.BAD_REPLY, Spend.NONE)
                self._check_words(error)

    def test_a_redirected_upload_is_not_followed(self) -> None:
        for _, before in self._upload_steps():
            error = self._uploads([*before, Reply(307, {"location": "https://elsewhere.invalid/"}, b"")]).failure()
            assert (error.fault, error.spend) == (Fault.BAD_REPLY, Spend.NONE)

    def test_an_upload_with_one_thing_wrong_never_escapes(self) -> None:
        script = self._whole_script()
        for index, reply in enumerate(script[: self._committing()]):
            for _, damaged in damaged_replies(reply):
                outcome = self._uploads([*script[:index], damaged, *script[index + 1 :]], json_reply({}))
                assert outcome.error is None or outcome.error.message

    def test_a_prompt_echoed_by_an_upload_goes_no_further(self) -> None:
        for _, before in self._upload_steps():
            self._check_words(self._uploads([*before, text_reply(f"<p>No: {PROMPT}</p>", 413)]).failure())

    def test_leaving_during_an_upload_there_is_nothing_to_cancel(self) -> None:
        script = self._whole_script()
        for stop in range(self._committing() + 1):
            conversation = self.adapter().converse(self.uploading(), self.model())
            pending(conversation, script, stop)
            leaving = Abandoned(AbandonReason.ATTEMPT_LIMIT)
            with pytest.raises(Abandoned) as caught:
                conversation.throw(leaving)
            assert caught.value is leaving
            assert leaving.spend is None

    # A caller's own fields

    def test_reserved_fields_are_refused_before_any_call(self) -> None:
        for name in sorted(self.reserved()):
            request = self._with_options({"harmless": 1, name: "x"})
            error = self._drive([], request=request).failure()
            assert (error.fault, error.spend, error.parameter) == (
                Fault.UNSUPPORTED,
                Spend.NONE,
                "provider_options",
            )
            assert name in error.message

    def test_what_is_no_json_is_refused_before_any_call(self) -> None:
        for value in (Picture(b"x"), float("nan"), {"deep": [Picture(b"x")]}):
            error = self._drive([], request=self._with_options({"mine": value})).failure()
            assert (error.fault, error.parameter) == (Fault.UNSUPPORTED, "provider_options")

    def test_whatever_the_gateway_sets_itself_is_reserved_but_for_its_defaults(self) -> None:
        assert set(self.set_by_the_gateway()) - self.reserved() == self.defaults

    defaults: ClassVar[frozenset[str]] = frozenset()
    """Fields the gateway sends that a caller may set otherwise."""

    def reserved(self) -> frozenset[str]:
        raise NotImplementedError

    def set_by_the_gateway(self) -> Iterator[str]:
        """Every field of the input in any golden file."""
        raise NotImplementedError

    def _with_options(self, options: Mapping[str, object]) -> ImageRequest:
        return replace(self.uploading(), provider_options={self.adapter().name: options})

    def _whole_script(self) -> list[Reply]:
        return [*self.uploaded(1), *self.uploaded(2), *self.success(self.uploading())]

    def _committing(self) -> int:
        return len(self.uploaded(1)) + len(self.uploaded(2))

    def _upload_steps(self) -> Iterator[tuple[int, list[Reply]]]:
        """Each call of the uploads with its number and the replies that lead up to it."""
        script = self._whole_script()
        for index in range(self._committing()):
            yield index, script[:index]

    def _uploads(self, answers: Sequence[Answer], then: Answer | None = None) -> Outcome:
        return drive(self.adapter().converse(self.uploading(), self.model()), answers, then)
