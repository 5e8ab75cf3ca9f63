"""The driver over a real server: limits and hang-ups, cancel calls that arrive, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from providers.blobs import MemoryBlob
from providers.converse import SIMULATOR_HEADER, Driver, Trace
from providers.spec.blob import Blob
from providers.spec.conversation import AbandonReason, Conversation, Interim, Pause
from providers.spec.errors import Fault, Spend
from providers.spec.result import ImageResult
from tests.integration.providers.conversations import (
    CANCEL,
    DONE,
    SUBMIT,
    Scene,
    ask,
    fine,
    job_server,
    queue_job,
    simple,
    stage,
)
from tests.integration.providers.loopback import PATIENCE_S, Handler, Peer, Seen, answers, hang

LIMIT_S = 0.5
"""Within which the first call has been sent, also on a busy machine."""
AT_ONCE_S = 5.0
"""What is not waited for has ended by then, on the slowest machine; what is, lasts much longer or for ever."""
HUNG_UP = AbandonReason.HUNG_UP.value
ATTEMPT_LIMIT = AbandonReason.ATTEMPT_LIMIT.value
ANSWERED = "cancel answered 200"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with stage() as ready:
        yield ready


async def slow(seen: Seen, peer: Peer) -> None:
    await asyncio.sleep(0.15)
    await fine(seen, peer)


def once_left(scene: Scene, then: Handler = fine) -> Handler:
    """Answers when the conversation is no longer waited for, and not before."""

    async def late(seen: Seen, peer: Peer) -> None:
        while not scene.driver.leaving:  # noqa: ASYNC110 - the driver tells nobody that it leaves
            await asyncio.sleep(0.01)
        await then(seen, peer)

    return late


async def seconds_of(waiting: asyncio.Task[ImageResult]) -> float:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.wait({waiting})
    return loop.time() - started


async def test_a_conversation_that_ends_well_gives_its_result(scene: Scene) -> None:
    assert await scene.converse(simple()) is DONE
    assert scene.trace == Trace(scene.trace.first_byte_seconds, simulated=False, committed=True)
    assert scene.trace.first_byte_seconds is not None


async def test_pauses_are_kept_and_interim_images_handed_out(scene: Scene) -> None:
    def conversation() -> Conversation:
        yield Pause(0.05)
        yield Interim(MemoryBlob(b"half"))
        yield from ask(SUBMIT)
        yield Pause(-1.0)
        return DONE

    seen: list[Blob] = []
    started = asyncio.get_running_loop().time()
    assert await scene.converse(conversation(), on_interim=seen.append) is DONE
    assert asyncio.get_running_loop().time() - started >= 0.05
    assert [blob.read() for blob in seen] == [b"half"]


async def test_a_simulated_vendor_is_noticed(scene: Scene) -> None:
    async def simulated(seen: Seen, peer: Peer) -> None:
        await peer.json({}, headers={SIMULATOR_HEADER: "fal"})

    scene.server.handler = simulated
    await scene.converse(simple())
    assert scene.trace.simulated is True


async def test_at_the_attempts_limit_the_cancel_call_has_arrived_before_the_error_is_raised(scene: Scene) -> None:
    scene.server.handler = job_server()
    heard: list[str] = []
    failed = await scene.failure(queue_job(heard, spend=Spend.NONE), limit_s=LIMIT_S)
    assert scene.server.targets[-1] == CANCEL
    assert heard == [ATTEMPT_LIMIT, ANSWERED]
    assert (failed.fault, failed.spend, failed.detail) == (Fault.TIMED_OUT, Spend.NONE, ATTEMPT_LIMIT)


async def test_at_the_requests_deadline_the_error_does_not_wait_for_the_cancel_call(scene: Scene) -> None:
    release = asyncio.Event()

    async def held(seen: Seen, peer: Peer) -> None:
        await release.wait()
        await fine(seen, peer)

    scene.server.handler = job_server(cancel=held)
    heard: list[str] = []
    failed = await scene.failure(queue_job(heard, spend=Spend.NONE), limit_s=LIMIT_S, ends_at_deadline=True)
    assert (failed.fault, failed.spend) == (Fault.TIMED_OUT, Spend.POSSIBLE)
    assert scene.driver.leaving == 1
    await scene.server.arrived(CANCEL)
    release.set()
    await scene.driver.close(PATIENCE_S)
    assert heard == [AbandonReason.REQUEST_DEADLINE.value, ANSWERED]


async def test_a_caller_that_hangs_up_between_two_questions_has_its_job_cancelled(scene: Scene) -> None:
    scene.server.handler = job_server()
    heard: list[str] = []
    task = scene.start(queue_job(heard, pause=10.0))
    await scene.server.arrived("POST /submit")
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await scene.server.arrived(CANCEL)
    await scene.driver.close(PATIENCE_S)
    assert heard == [HUNG_UP, ANSWERED]


async def test_a_question_in_flight_when_the_caller_hangs_up_is_dropped_and_the_job_cancelled(scene: Scene) -> None:
    scene.server.handler = job_server(status=hang)
    heard: list[str] = []
    task = scene.start(queue_job(heard))
    await scene.server.arrived("GET /status")
    task.cancel()
    assert await seconds_of(task) < AT_ONCE_S
    await scene.driver.close(PATIENCE_S)
    assert heard == [HUNG_UP, ANSWERED]


async def test_at_whatever_moment_the_caller_hangs_up_an_accepted_job_is_cancelled_once(scene: Scene) -> None:
    """The event loop's turns are counted off one by one, so that every gap between two awaits is hit."""
    for turns in range(60):
        scene.server.handler = job_server()
        scene.server.requests.clear()
        heard: list[str] = []
        task = scene.start(queue_job(heard, pause=0.0))
        await scene.server.arrived("POST /submit")
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await scene.driver.close(PATIENCE_S)
        assert heard == [HUNG_UP, ANSWERED], turns
        assert scene.server.targets.count(CANCEL) == 1, turns


async def test_at_whatever_moment_the_time_is_up_an_accepted_job_is_cancelled_once(scene: Scene) -> None:
    for step in range(30):
        for _again in range(50):
            scene.server.handler = job_server()
            scene.server.requests.clear()
            heard: list[str] = []
            await scene.failure(queue_job(heard, pause=0.0), limit_s=0.0005 + 0.0003 * step)
            await scene.driver.close(PATIENCE_S)
            sent = scene.server.targets.count("POST /submit")
            assert scene.server.targets.count(CANCEL) == sent, step
            assert heard == ([ATTEMPT_LIMIT, ANSWERED] if sent else []), step
            if sent:
                break  # else this process was held up until the time was up before it had begun
        assert sent == 1, step


async def test_cancellation_while_the_cancel_call_is_awaited_does_not_lose_that_call(scene: Scene) -> None:
    release = asyncio.Event()

    async def held(seen: Seen, peer: Peer) -> None:
        await release.wait()
        await fine(seen, peer)

    scene.server.handler = job_server(cancel=held)
    heard: list[str] = []
    task = scene.start(queue_job(heard), limit_s=LIMIT_S)
    await scene.server.arrived(CANCEL)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scene.driver.leaving == 1
    release.set()
    await scene.driver.close(PATIENCE_S)
    assert heard == [ATTEMPT_LIMIT, ANSWERED]


async def test_a_submit_in_flight_at_the_limit_is_left_to_finish_so_that_its_job_is_cancelled(scene: Scene) -> None:
    scene.server.handler = job_server(submit=once_left(scene))
    heard: list[str] = []
    failed = await scene.failure(queue_job(heard, spend=Spend.NONE), limit_s=LIMIT_S)
    assert scene.server.targets == ["POST /submit", CANCEL]
    assert failed.spend is Spend.NONE
    assert heard == [ATTEMPT_LIMIT, ANSWERED]


async def test_a_submit_slower_than_its_grace_may_have_been_paid_for(scene: Scene) -> None:
    scene.server.handler = job_server(submit=hang)
    scene.driver = Driver(scene.transport, submit_grace_s=0.05, cancel_limit_s=1.0)
    failed = await scene.failure(queue_job([]), limit_s=LIMIT_S)
    assert (failed.fault, failed.spend) == (Fault.TIMED_OUT, Spend.POSSIBLE)
    await scene.server.all_closed()
    assert scene.server.targets == ["POST /submit"]


async def test_a_submit_that_turns_out_refused_after_the_limit_cost_nothing(scene: Scene) -> None:
    async def no(seen: Seen, peer: Peer) -> None:
        await peer.json({}, 429)

    scene.server.handler = job_server(submit=once_left(scene, no))
    failed = await scene.failure(queue_job([]), limit_s=LIMIT_S)
    assert (failed.fault, failed.spend) == (Fault.TIMED_OUT, Spend.NONE)


async def test_a_submit_that_turns_out_to_bring_the_image_was_charged(scene: Scene) -> None:
    scene.server.handler = once_left(scene)
    failed = await scene.failure(simple(starts_job=True), limit_s=LIMIT_S)
    assert failed.spend is Spend.CHARGED


async def test_a_call_that_is_no_job_is_dropped_at_the_limit_and_may_have_been_paid_for(scene: Scene) -> None:
    scene.server.handler = hang
    failed = await scene.failure(simple(), limit_s=LIMIT_S)
    assert (failed.fault, failed.spend) == (Fault.TIMED_OUT, Spend.POSSIBLE)
    await scene.server.all_closed()


@pytest.mark.parametrize("cancels", [1, 5])
async def test_a_server_that_hangs_holds_nobody_beyond_the_limits_however_often_it_is_asked(
    scene: Scene, cancels: int
) -> None:
    scene.server.handler = job_server(status=hang, cancel=hang)
    scene.driver = Driver(scene.transport, submit_grace_s=0.1, cancel_limit_s=0.15)
    heard: list[str] = []
    started = asyncio.get_running_loop().time()
    failed = await scene.failure(queue_job(heard, cancels=cancels), limit_s=LIMIT_S)
    assert asyncio.get_running_loop().time() - started < AT_ONCE_S
    assert failed.spend is Spend.POSSIBLE
    assert heard[:2] == [ATTEMPT_LIMIT, "cancel unanswered"]
    await scene.server.all_closed()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 3600.0])
async def test_no_pause_outlasts_the_limit(scene: Scene, seconds: float) -> None:
    def sleepy() -> Conversation:
        while True:
            yield Pause(seconds)

    started = asyncio.get_running_loop().time()
    assert (await scene.failure(sleepy(), limit_s=0.1)).fault is Fault.TIMED_OUT
    assert asyncio.get_running_loop().time() - started < AT_ONCE_S


async def test_nothing_is_sent_once_the_time_is_up(scene: Scene) -> None:
    failed = await scene.failure(simple(), limit_s=0.0)
    assert (failed.fault, failed.spend) == (Fault.TIMED_OUT, Spend.NONE)
    assert scene.server.accepted == 0


async def test_close_waits_for_cancel_calls_and_drops_what_takes_too_long(scene: Scene) -> None:
    scene.server.handler = job_server(cancel=answers(slow, hang))
    for patience, expected in ((PATIENCE_S, [HUNG_UP, ANSWERED]), (0.5, [HUNG_UP])):
        heard: list[str] = []
        scene.server.requests.clear()
        task = scene.start(queue_job(heard))
        await scene.server.arrived("GET /status")
        task.cancel()
        await scene.driver.close(patience)
        assert scene.driver.leaving == 0
        assert heard == expected
        with pytest.raises(asyncio.CancelledError):
            await task
    await scene.server.all_closed()


async def test_close_hears_of_a_cancellation_that_has_not_come_through_yet(scene: Scene) -> None:
    """As when the web server cancels its handlers and goes on to shut down in the same breath."""
    scene.server.handler = job_server(status=hang)
    heard: list[str] = []
    inner = scene.start(queue_job(heard))

    async def handler() -> None:
        try:
            await asyncio.wait({inner})
        finally:
            inner.cancel()
            await asyncio.gather(inner, return_exceptions=True)

    outer = asyncio.create_task(handler())
    await scene.server.arrived("GET /status")
    outer.cancel()
    await scene.driver.close(PATIENCE_S)
    assert heard == [HUNG_UP, ANSWERED]
    await asyncio.wait({outer})


async def test_close_without_any_patience_leaves_no_call_behind(scene: Scene) -> None:
    for turns in range(5):
        scene.server.handler = job_server(submit=hang)
        scene.server.requests.clear()
        task = scene.start(queue_job([]))
        await scene.server.arrived("POST /submit")
        task.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        await scene.driver.close(0.0)
        await scene.server.all_closed()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_many_callers_that_hang_up_at_once_leave_no_job_running(scene: Scene) -> None:
    scene.server.handler = job_server()
    tasks = [scene.start(queue_job([], pause=0.01 * (number % 7))) for number in range(40)]
    await scene.server.until(lambda: scene.server.targets.count("GET /status") >= 20)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await scene.driver.close(PATIENCE_S)
    assert scene.server.targets.count(CANCEL) == scene.server.targets.count("POST /submit") == 40
