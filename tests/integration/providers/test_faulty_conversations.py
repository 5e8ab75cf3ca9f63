"""Adapters with bugs, and hands that fail: whatever happens comes out as a ProviderError, bounded and tidy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from benchmarks.rig.ports import held_port
from providers.blobs import Base64Blob, MemoryBlob
from providers.credentials import CredentialUnavailableError
from providers.spec.blob import Blob
from providers.spec.conversation import (
    Abandoned,
    AbandonReason,
    AsBase64,
    Conversation,
    HttpCall,
    Interim,
    Pause,
    Unanswered,
)
from providers.spec.errors import Fault, ProviderError, Spend
from providers.transport import Transport
from tests.integration.providers.conversations import (
    CANCEL,
    DONE,
    STATUS,
    SUBMIT,
    Scene,
    ask,
    fine,
    job_server,
    queue_job,
    simple,
    stage,
)
from tests.integration.providers.loopback import Peer, Seen, answers, hang

PROMPT = "the caller's own prompt"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with stage() as ready:
        yield ready


def raising(error: Exception) -> Conversation:
    yield from ask(SUBMIT)
    raise error


def stopping() -> Conversation:
    yield from ask(SUBMIT)
    next(iter(()))
    return DONE


def empty_handed() -> Conversation:
    yield from ask(SUBMIT)
    return None  # type: ignore[return-value]


def deaf_to_replies() -> Conversation:
    reply = yield SUBMIT
    raise AttributeError(reply.nothing)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "conversation",
    [
        lambda: raising(KeyError(PROMPT)),
        lambda: raising(RuntimeError(PROMPT)),
        lambda: raising(RecursionError(PROMPT)),
        lambda: raising(TimeoutError(PROMPT)),
        lambda: raising(Abandoned(AbandonReason.HUNG_UP)),
        stopping,
        empty_handed,
        deaf_to_replies,
    ],
)
async def test_an_adapters_bug_is_a_bad_reply_and_shows_no_text(
    scene: Scene, caplog: pytest.LogCaptureFixture, conversation: Callable[[], Conversation]
) -> None:
    failed = await scene.failure(conversation())
    assert (failed.fault, failed.spend) == (Fault.BAD_REPLY, Spend.POSSIBLE)
    assert PROMPT not in str(failed) + failed.detail + caplog.text
    assert "adapter bug" in caplog.text


@pytest.mark.parametrize("step", [None, "GET /", 3])
async def test_a_step_that_is_none_is_an_adapters_bug(scene: Scene, step: object) -> None:
    def misspeaking() -> Conversation:
        yield step  # type: ignore[misc]
        return DONE

    failed = await scene.failure(misspeaking())
    assert (failed.fault, failed.spend) == (Fault.BAD_REPLY, Spend.NONE)


async def test_an_adapters_own_error_passes_unchanged(scene: Scene) -> None:
    own = ProviderError(Fault.RATE_LIMITED, "busy", retry_after=3.0)
    assert await scene.failure(raising(own)) is own


async def test_silence_nobody_handles_is_an_unreachable_vendor(scene: Scene) -> None:
    async def refuse(seen: Seen, peer: Peer) -> None:
        peer.reset()

    scene.server.handler = refuse
    failed = await scene.failure(simple())
    assert (failed.fault, failed.spend) == (Fault.UNREACHABLE, Spend.POSSIBLE)


async def test_a_call_that_never_left_cost_nothing_and_commits_to_nothing(scene: Scene) -> None:
    with held_port() as port:
        scene.server.base_url = f"http://127.0.0.1:{port}"
        failed = await scene.failure(simple())
    assert (failed.fault, failed.spend) == (Fault.UNREACHABLE, Spend.NONE)
    assert scene.trace.committed is False


async def test_a_question_that_never_left_does_not_make_the_job_before_it_free(scene: Scene) -> None:
    def conversation() -> Conversation:
        yield from ask(SUBMIT)
        yield from ask(HttpCall("GET", "https://elsewhere.test/"))
        return DONE

    failed = await scene.failure(conversation())
    assert (failed.fault, failed.spend) == (Fault.UNREACHABLE, Spend.POSSIBLE)


async def test_silence_is_thrown_into_the_conversation_which_may_go_on(scene: Scene) -> None:
    def tolerant() -> Conversation:
        try:
            yield from ask(STATUS)
        except Unanswered:
            yield from ask(STATUS)
            return DONE
        raise TypeError("nothing was refused")

    async def refuse(seen: Seen, peer: Peer) -> None:
        peer.reset()

    scene.server.handler = job_server(status=answers(refuse, refuse, fine))
    assert await scene.converse(tolerant()) is DONE


def deaf() -> Conversation:
    yield from ask(SUBMIT)
    while True:
        try:
            yield STATUS
        except Exception:  # noqa: BLE001 - the trap under test
            continue


def stubborn() -> Conversation:
    yield from ask(SUBMIT)
    ignored = 0
    while True:
        try:
            yield Pause(0.01)
        except BaseException:  # the other trap; the third time is the garbage collector's
            ignored += 1
            if ignored > 2:
                raise


def late_riser() -> Conversation:
    try:
        yield from ask(SUBMIT)
        yield Pause(60.0)
    finally:
        yield HttpCall("PUT", "/cancel")
    return DONE


def failing_farewell() -> Conversation:
    try:
        yield from ask(SUBMIT)
        yield Pause(60.0)
    except Abandoned:
        raise KeyError(PROMPT) from None
    return DONE


@pytest.mark.parametrize("conversation", [deaf, stubborn, late_riser, failing_farewell])
@pytest.mark.parametrize("hangs_up", [False, True])
async def test_an_adapter_that_cannot_take_leave_is_bounded_and_dropped(
    scene: Scene, caplog: pytest.LogCaptureFixture, conversation: Callable[[], Conversation], hangs_up: bool
) -> None:
    talk = conversation()
    if hangs_up:
        task = scene.start(talk)
        await scene.server.arrived("POST /submit")
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        failed = await scene.failure(talk, limit_s=0.5)
        assert (failed.fault, failed.spend) == (Fault.TIMED_OUT, Spend.POSSIBLE)
    await scene.gone_quiet()
    assert PROMPT not in caplog.text


async def test_an_adapter_that_yields_interim_images_for_ever_is_bounded_and_lets_others_run(scene: Scene) -> None:
    def chatty() -> Conversation:
        while True:
            yield Interim(MemoryBlob(b"x"))

    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    failed = await scene.failure(chatty(), limit_s=1.0)
    beside.cancel()
    assert failed.fault is Fault.TIMED_OUT
    assert turns > 10


async def test_an_image_returned_at_the_very_end_was_charged(scene: Scene) -> None:
    def undecided() -> Conversation:
        yield from ask(SUBMIT)
        try:
            yield Pause(60.0)
        except Abandoned:
            return DONE
        return DONE

    assert (await scene.failure(undecided(), limit_s=0.5)).spend is Spend.CHARGED


async def test_a_job_is_cancelled_when_the_receiver_of_interim_images_fails(scene: Scene) -> None:
    def broken(_blob: Blob) -> None:
        raise ValueError(PROMPT)

    scene.server.handler = job_server()
    heard: list[str] = []
    failed = await scene.failure(queue_job(heard, first=Interim(MemoryBlob(b"x"))), on_interim=broken)
    assert (failed.fault, failed.spend, failed.detail) == (Fault.OWN_FAULT, Spend.POSSIBLE, "ValueError")
    assert scene.server.targets == ["POST /submit", CANCEL]


async def test_a_job_is_cancelled_when_our_disk_fails(scene: Scene, tmp_path: Path) -> None:
    async def large(seen: Seen, peer: Peer) -> None:
        await peer.answer(bytes(5_000_000))

    scene.server.handler = job_server(status=large)
    spoiled = Transport(spool_dir=tmp_path / "missing", reply_memory=0)
    scene.driver._transport = spoiled
    heard: list[str] = []
    failed = await scene.failure(queue_job(heard))
    assert (failed.fault, failed.spend) == (Fault.OWN_FAULT, Spend.POSSIBLE)
    assert heard == [AbandonReason.HUNG_UP.value, "cancel answered 200"]
    await spoiled.close()


async def test_a_header_no_http_library_would_send_is_our_own_fault(scene: Scene) -> None:
    def conversation() -> Conversation:
        yield HttpCall("GET", "/status", headers={"x-bad": "a\r\nb"})
        return DONE

    assert (await scene.failure(conversation())).fault is Fault.OWN_FAULT


async def test_a_damaged_input_image_costs_nothing(scene: Scene) -> None:
    def conversation() -> Conversation:
        yield HttpCall("POST", "/make", body=(b"{", AsBase64(Base64Blob(b"YWJjZ")), b"}"), commits=True)
        return DONE

    failed = await scene.failure(conversation())
    assert (failed.fault, failed.spend) == (Fault.UNREACHABLE, Spend.NONE)


class Missing:
    """A credential that cannot be had, at once or only after a while."""

    def __init__(self, *, temporary: bool, hangs: bool = False) -> None:
        self._temporary = temporary
        self._hangs = hangs

    async def headers(self) -> Mapping[str, str]:
        if self._hangs:
            await asyncio.Event().wait()
        raise CredentialUnavailableError("no token", temporary=self._temporary)

    async def renew(self, refused: Mapping[str, str]) -> bool:
        return False


@pytest.mark.parametrize(("temporary", "fault"), [(True, Fault.UNREACHABLE), (False, Fault.CREDENTIALS)])
async def test_a_missing_credential_sends_nothing_and_costs_nothing(
    scene: Scene, temporary: bool, fault: Fault
) -> None:
    scene.credential = Missing(temporary=temporary)
    failed = await scene.failure(simple())
    assert (failed.fault, failed.spend, failed.detail) == (fault, Spend.NONE, "no token")
    assert scene.trace.committed is False
    assert scene.server.accepted == 0


async def test_a_credential_that_never_comes_ends_with_the_limit(scene: Scene) -> None:
    scene.credential = Missing(temporary=True, hangs=True)
    failed = await scene.failure(simple(), limit_s=0.05)
    assert failed.fault is Fault.TIMED_OUT
    assert scene.server.accepted == 0


async def test_a_conversation_on_a_closed_transport_ends_at_once(scene: Scene) -> None:
    await scene.transport.close()
    failed = await scene.failure(simple())
    assert (failed.fault, failed.spend) == (Fault.UNREACHABLE, Spend.NONE)


async def test_closing_the_transport_under_a_call_ends_it(scene: Scene) -> None:
    scene.server.handler = hang
    task = scene.start(simple())
    await scene.server.arrived("POST /make")
    await scene.transport.close()
    with pytest.raises(ProviderError) as raised:
        await task
    assert (raised.value.fault, raised.value.spend) == (Fault.UNREACHABLE, Spend.POSSIBLE)
