"""Memory: what ended is light, whatever was sent."""

from __future__ import annotations

import pytest

from simulator.books import Account, Operation
from simulator.dice import Dice
from simulator.fal import queue as fal_queue
from simulator.fal.queue import Job, Queue
from simulator.fal.schema import read_order as read_fal
from simulator.faults import Kind, Strike
from simulator.replicate import predictions as replicate_predictions
from simulator.replicate.predictions import Prediction, Predictions, now_by_the_calendar
from simulator.replicate.schema import checked
from simulator.replicate.schema import read_order as read_replicate
from simulator.vendors import Tier, Vendor
from simulator.world import Turn
from tests.unit.simulator.kit import KEY, TOKEN, caller, data_uri, decoded, fal, fault, picture, replicate

PADDED = data_uri(picture() + b"\0" * 300_000)
"""A picture with much behind its end, as a long data URI."""
EDIT = {"prompt": "make it blue", "image_urls": [PADDED]}


@pytest.mark.parametrize("kind", ["refusal", "no_image", "500"])
async def test_fals_echo_of_the_input_is_short(kind: str) -> None:
    async with caller() as client:
        await fault(client, "fal", kind)
        answer = await fal(client, EDIT, "fal-ai/nano-banana-2/edit")
        told = answer.json()["detail"][0]["input"]
        assert told["prompt"] == "make it blue"
        assert len(answer.content) < 5_000


async def test_fals_refusal_of_an_input_is_short() -> None:
    async with caller() as client:
        answer = await fal(client, {"prompt": "x" * 1_000_000})
        assert answer.json()["detail"][0]["type"] == "string_too_long"
        assert len(answer.content) < 5_000


async def test_a_predictions_input_is_told_short_and_the_list_stays_small() -> None:
    async with caller() as client:
        await fault(client, "replicate", "truncated_base64", count=2)
        for _ in range(4):
            one = await replicate(client, {"prompt": "make it blue", "image_input": [PADDED] * 3})
            assert one.json()["input"]["prompt"] == "make it blue"
            assert len(str(one.json()["input"])) < 5_000
        answer = await client.get("/replicate/v1/predictions", headers=TOKEN)
        assert [each["status"] for each in answer.json()["results"]] == ["succeeded"] * 4
        assert len(answer.content) < 20_000


async def test_the_picture_of_an_edit_still_shows_its_input_though_the_job_has_let_go_of_it() -> None:
    async with caller() as client:
        pixels = []
        for colour in ((220, 20, 20), (20, 20, 220)):
            body = EDIT | {"image_urls": [data_uri(picture(colour=colour))]}
            answer = await fal(client, body, "fal-ai/nano-banana-2/edit")
            image = decoded((await client.get(answer.json()["images"][0]["url"])).content)
            pixels.append(image.convert("RGB").getpixel((100, 300)))
        assert pixels[0] != pixels[1]


async def test_a_picture_in_the_body_is_the_same_each_time_it_is_asked_for() -> None:
    async with caller() as client:
        first = await fal(client, EDIT | {"sync_mode": True}, "fal-ai/nano-banana-2/edit")
        again = await client.get(first.request.url.path, headers=KEY)
        assert first.json()["images"][0]["url"].startswith("data:image/png;base64,")
        assert first.json() == again.json()


def fal_job(name: str, kind: Kind | None = None) -> Job:
    order = read_fal("fal-ai/nano-banana-2/edit", {"prompt": "a fox"}, [picture()])
    account = Account(Vendor.FAL, "fal-ai/nano-banana-2/edit", Tier.ONE, Operation.EDIT)
    turn = Turn(Dice(1, Vendor.FAL, 1), Strike(kind) if kind else None, 0.0, 1.0)
    return Job(name, "a/b", "fal-ai/nano-banana-2/edit", turn, account, order, None, 0.0, 1.0)


def prediction(name: str) -> Prediction:
    model = "google/nano-banana-2"
    order = read_replicate(model, checked(model, {"prompt": "a fox"}), [picture()])
    account = Account(Vendor.REPLICATE, model, Tier.ONE, Operation.EDIT)
    turn = Turn(Dice(1, Vendor.REPLICATE, 1), None, 0.0, 1.0)
    return Prediction(name, model, {}, order, None, turn, account, 0.0, now_by_the_calendar(), None)


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_job_that_ended_holds_no_input_images(cancelled: bool) -> None:
    queue = Queue(lambda: None, lambda done: None)
    job = fal_job("one")
    queue.submit(job, 0.0)
    predictions = Predictions(lambda made: None, lambda gone: None)
    other = prediction("two")
    predictions.add(other)
    assert job.order is not None
    assert other.order is not None
    assert job.order.references
    assert other.order.references
    if cancelled:
        assert queue.cancel(job, 0.5)
        predictions.cancel(other, 0.5)
    queue.advance(5.0)
    predictions.advance(5.0)
    assert job.order.references == other.order.references == ()


def test_ended_jobs_go_when_together_they_weigh_too_much_and_open_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fal_queue, "KEPT_BYTES", 100_000)
    monkeypatch.setattr(replicate_predictions, "KEPT_BYTES", 100_000)
    queue = Queue(lambda: None, lambda done: None)
    predictions = Predictions(lambda made: None, lambda gone: None)
    late, later = fal_job("late"), prediction("late")
    late.ready, later.created = 1000.0, 1000.0
    queue.submit(late, 0.0)
    predictions.add(later)
    for number in range(20):
        queue.submit(fal_job(f"{number}"), 0.0)
        predictions.add(prediction(f"{number}"))
    queue.advance(10.0)
    predictions.advance(10.0)
    for held in (queue, predictions):
        kept = [number for number in range(20) if held.find(f"{number}") is not None]
        assert kept == list(range(14, 20))
        assert held.find("late") is not None
    assert next(each.id for each in predictions.newest() if each is not later) == "19"
