"""Hand-written conversations, and the stage on which the driver holds them with a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from providers.blobs import MemoryBlob
from providers.converse import Driver, Provider, Trace
from providers.credentials import Credential, StaticKey
from providers.spec.adapter import Endpoint, ProviderModel
from providers.spec.blob import Blob
from providers.spec.conversation import Abandoned, Conversation, HttpCall, Pause, Reply, Step, Unanswered
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.request import ImageRequest
from providers.spec.result import ImageResult
from providers.transport import Transport
from tests.integration.providers.loopback import PATIENCE_S, Handler, Loopback, Peer, Seen, loopback, routes

DONE = ImageResult((MemoryBlob(b"image"),))
SUBMIT = HttpCall("POST", "/submit", body=(b"{}",), commits=True, starts_job=True)
STATUS = HttpCall("GET", "/status")
CANCEL = "PUT /cancel"


async def fine(_seen: Seen, peer: Peer) -> None:
    await peer.json({"id": 1})


def job_server(**others: Handler) -> Handler:
    """Accepts a job that is never done; ``submit``, ``status`` and ``cancel`` may be answered otherwise."""
    return routes(
        {
            "POST /submit": others.get("submit", fine),
            "GET /status": others.get("status", fine),
            CANCEL: others.get("cancel", fine),
        }
    )


def ask(call: HttpCall) -> Generator[Step, Reply | None, Reply]:
    reply = yield call
    assert reply is not None
    return reply


def simple(result: ImageResult = DONE, *, starts_job: bool = False) -> Conversation:
    """One call, one result, as Google's adapters speak."""
    yield from ask(HttpCall("POST", "/make", body=(b"{}",), commits=True, starts_job=starts_job))
    return result


def queue_job(
    heard: list[str], *, spend: Spend | None = None, pause: float = 0.01, cancels: int = 1, first: Step | None = None
) -> Conversation:
    """Submit and ask for ever; cancel when abandoned, as the queue adapters speak. ``heard`` tells how it ended."""
    reply = yield from ask(SUBMIT)
    if reply.status != 200:
        raise ProviderError(Fault.RATE_LIMITED, "no", spend=Spend.NONE)
    try:
        if first is not None:
            yield first
        while True:
            yield Pause(pause)
            yield from ask(STATUS)
    except Abandoned as abandoned:
        heard.append(abandoned.reason.value)
        for _ in range(cancels):
            try:
                answer = yield from ask(HttpCall("PUT", "/cancel"))
                heard.append(f"cancel answered {answer.status}")
                abandoned.spend = spend
            except Unanswered:
                heard.append("cancel unanswered")
        raise


class Adapter:
    """An adapter whose conversations are given by the test."""

    name = "vendor"
    schemas: frozenset[str] = frozenset()

    def __init__(self, base_url: str) -> None:
        self.endpoint = Endpoint(self.name, base_url)

    def converse(self, request: ImageRequest, model: ProviderModel) -> Conversation:
        raise NotImplementedError


@dataclass
class Scene:
    """The driver, the server, and one trace for all."""

    server: Loopback
    transport: Transport
    driver: Driver
    trace: Trace = field(default_factory=Trace)
    credential: Credential = field(default_factory=lambda: StaticKey("Authorization", "canary-51c0"))

    async def converse(
        self,
        conversation: Conversation,
        *,
        limit_s: float = PATIENCE_S,
        ends_at_deadline: bool = False,
        on_interim: Callable[[Blob], None] | None = None,
    ) -> ImageResult:
        return await self.driver.converse(
            conversation,
            Provider(Adapter(self.server.base_url), self.credential),
            self.trace,
            limit_s=limit_s,
            ends_at_deadline=ends_at_deadline,
            on_interim=on_interim,
        )

    async def failure(
        self,
        conversation: Conversation,
        *,
        limit_s: float = PATIENCE_S,
        ends_at_deadline: bool = False,
        on_interim: Callable[[Blob], None] | None = None,
    ) -> ProviderError:
        with pytest.raises(ProviderError) as raised:
            await self.converse(conversation, limit_s=limit_s, ends_at_deadline=ends_at_deadline, on_interim=on_interim)
        return raised.value

    def start(self, conversation: Conversation, *, limit_s: float = PATIENCE_S) -> asyncio.Task[ImageResult]:
        return asyncio.create_task(self.converse(conversation, limit_s=limit_s))

    async def gone_quiet(self) -> None:
        """Waits for those who take their leave and for what is on its way to the server. Raises TimeoutError when there
        is always more."""
        await self.driver.close(PATIENCE_S)
        async with asyncio.timeout(PATIENCE_S):
            before = -1
            while before != len(self.server.requests):
                before = len(self.server.requests)
                await asyncio.sleep(0.05)


@asynccontextmanager
async def stage() -> AsyncIterator[Scene]:
    """Fails when anything is left at the end: a task, a call, a connection, or an exception nobody took."""
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda _loop, context: complaints.append(str(context)))
    async with loopback() as server:
        before = asyncio.all_tasks()
        transport = Transport()
        scene = Scene(server, transport, Driver(transport, submit_grace_s=PATIENCE_S, cancel_limit_s=PATIENCE_S))
        yield scene
        await scene.driver.close(PATIENCE_S)
        assert scene.driver.leaving == 0
        assert not scene.driver._calls
        assert not scene.driver._under_way
        await transport.close()
        await server.all_closed()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() - before - {asyncio.current_task()} == set()
    loop.set_exception_handler(None)
    assert complaints == []
