"""Downloading pictures that are paid for: patience, order, and what every way of not getting them says of the bill."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from providers.job_dialect.downloads import DOWNLOAD_PAUSES_S, downloaded
from providers.spec.blob import Blob
from providers.spec.conversation import (
    Abandoned,
    AbandonReason,
    Conversation,
    HttpCall,
    Pause,
    Reply,
    Trust,
    Unanswered,
)
from providers.spec.errors import Fault, Spend
from providers.spec.result import ImageResult
from tests.contract.driving import Answer, Outcome, Picture, drive, image_reply, json_reply, pending

URL = "https://media/x.png"
FIRST, SECOND = Picture(b"first"), Picture(b"second")
CALL = HttpCall("GET", URL, Trust.RESPONSE, wants_image=True)
RESET = Unanswered("the connection broke", sent=True)


def downloading(*pictures: Blob | str) -> Conversation:
    return ImageResult((yield from downloaded(pictures, "a lighthouse in fog", "Example")))


def failed(*answers: Answer) -> tuple[Fault, Spend, str, str]:
    error = drive(downloading(URL), answers).failure()
    return error.fault, error.spend, error.message, error.detail


def images(outcome: Outcome) -> Sequence[Blob]:
    assert outcome.result is not None, outcome.error
    return outcome.result.images


def test_what_came_with_the_reply_is_not_fetched_and_the_order_is_kept() -> None:
    outcome = drive(downloading(FIRST, URL), [image_reply(SECOND)])
    assert outcome.steps == [CALL]
    assert images(outcome) == (FIRST, SECOND)


def test_a_picture_is_tried_three_times_with_pauses_between() -> None:
    outcome = drive(downloading(URL), [RESET, json_reply({}, 404), image_reply(FIRST)])
    first, second = (Pause(seconds) for seconds in DOWNLOAD_PAUSES_S)
    assert outcome.steps == [CALL, first, CALL, second, CALL]
    assert images(outcome) == (FIRST,)


def test_a_lost_picture_is_charged_and_says_what_came_last() -> None:
    sentence = "Example made the image but it could not be downloaded."
    assert failed(RESET, RESET, json_reply({}, 503)) == (Fault.UNREACHABLE, Spend.CHARGED, sentence, "HTTP 503")
    assert failed(*[RESET] * 3) == (Fault.UNREACHABLE, Spend.CHARGED, sentence, "the connection broke")


def test_one_lost_picture_of_several_is_left_out_and_the_order_kept() -> None:
    urls = [URL, f"{URL}?2", f"{URL}?3"]
    outcome = drive(downloading(*urls), [image_reply(FIRST), *[json_reply({}, 404)] * 3, image_reply(SECOND)])
    assert images(outcome) == (FIRST, SECOND)


def test_when_all_are_lost_the_last_says_why() -> None:
    error = drive(downloading(URL, f"{URL}?2"), [*[RESET] * 3, *[json_reply({}, 404)] * 3]).failure()
    assert (error.fault, error.spend, error.detail) == (Fault.UNREACHABLE, Spend.CHARGED, "HTTP 404")


def test_a_success_without_a_picture_is_not_tried_again() -> None:
    fault, spend, message, _ = failed(Reply(200, {}))
    assert (fault, spend, message) == (Fault.BAD_REPLY, Spend.CHARGED, "Example answered without a usable image.")


@pytest.mark.parametrize("stop", range(5))
def test_whoever_leaves_meanwhile_is_told_that_the_picture_is_charged(stop: int) -> None:
    conversation = downloading(URL)
    pending(conversation, [RESET, RESET, image_reply(FIRST)], stop)
    leaving = Abandoned(AbandonReason.HUNG_UP)
    with pytest.raises(Abandoned) as caught:
        conversation.throw(leaving)
    assert caught.value is leaving
    assert leaving.spend is Spend.CHARGED
