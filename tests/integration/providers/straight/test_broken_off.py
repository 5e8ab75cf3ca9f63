"""A large reply that breaks off, stalls or is given up in the middle leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from providers import straight
from providers.pieces import BUFFERED
from providers.spec.conversation import Unanswered
from providers.spool import SpoolFailedError
from providers.transport import Transport
from providers.transport_limits import TransportLimits
from tests.integration.providers.loopback import PATIENCE_S, Loopback, Peer, Seen, answers
from tests.integration.providers.straight.replies import (
    LARGE,
    MIB,
    being_read,
    failure,
    half,
    image,
    until,
    whole,
)
from tests.integration.providers.test_transport import names_in
from tests.unit.providers.test_spool import no_file_larger_than


@pytest.mark.parametrize("how", [Peer.close, Peer.reset])
async def test_a_body_that_breaks_off_is_no_reply(server: Loopback, transport: Transport, how: Any) -> None:
    begun = len(LARGE)

    async def breaking(seen: Seen, peer: Peer) -> None:
        await peer.answer(LARGE[:-1], length=begun)
        how(peer)

    server.handler = answers(breaking, whole())
    assert await failure(transport, server) == "the connection broke"
    assert await image(transport, server) == LARGE
    assert server.accepted == 2


async def test_silence_in_the_middle_is_too_long(server: Loopback, readings: list[straight._Reading]) -> None:
    transport = Transport(limits=TransportLimits(read_s=0.2))
    server.handler = half
    while not readings:  # a busy machine may be silent before
        assert await failure(transport, server) == "silence for too long"
    await server.all_closed()
    await transport.close()


async def nothing(_seen: Seen, _peer: Peer) -> None:
    return


async def test_silence_is_watched_for_again_on_a_connection_that_was_read_past_the_library(
    server: Loopback, readings: list[straight._Reading]
) -> None:
    transport = Transport(limits=TransportLimits(read_s=0.2))
    while len(server.requests) < 2 or server.requests[-1].connection != server.requests[-2].connection:
        server.handler = answers(whole(), nothing)
        with suppress(Unanswered):  # a busy machine may be silent itself
            await image(transport, server)
            async with asyncio.timeout(PATIENCE_S):
                assert await failure(transport, server) == "silence for too long"
    assert readings
    await transport.close()


async def test_the_librarys_watch_for_silence_rests_while_the_body_comes(
    server: Loopback, transport: Transport, readings: list[straight._Reading]
) -> None:
    server.handler = half
    call = await being_read(image(transport, server), readings)
    assert readings[0]._library._read_timeout_handle is None
    assert readings[0]._watch is not None
    call.cancel()
    await asyncio.wait({call})


async def test_cancelling_in_the_middle_closes_the_connection(
    server: Loopback, transport: Transport, readings: list[straight._Reading]
) -> None:
    server.handler = half
    call = await being_read(image(transport, server), readings)
    await until(lambda: readings[0]._left <= len(LARGE) - 2 * MIB)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await server.all_closed()
    assert readings[0]._watch is not None
    assert readings[0]._watch.cancelled()
    server.handler = whole()
    assert await image(transport, server) == LARGE


async def test_closing_in_the_middle_ends_the_call(
    server: Loopback, transport: Transport, readings: list[straight._Reading]
) -> None:
    server.handler = half
    call = await being_read(failure(transport, server), readings)
    await transport.close()
    assert await asyncio.wait_for(call, PATIENCE_S) == "the connection broke"
    await server.all_closed()


async def test_a_body_over_the_cap_is_refused_in_the_middle(
    server: Loopback, tmp_path: Path, readings: list[straight._Reading]
) -> None:
    server.handler = whole()
    for cap in (len(LARGE) - 1, 2 * MIB):
        transport = Transport(spool_dir=tmp_path, limits=TransportLimits(reply_bytes=cap))
        assert await failure(transport, server) == "the reply was too large"
        await server.all_closed()
        gc.collect()
        assert transport._memory.free == BUFFERED
        await transport.close()
    transport = Transport(spool_dir=tmp_path, limits=TransportLimits(reply_bytes=len(LARGE)))
    assert await image(transport, server) == LARGE
    await transport.close()
    assert len(readings) == 3


async def test_a_disk_that_is_full_in_the_middle_is_our_own_failure(
    server: Loopback, tmp_path: Path, readings: list[straight._Reading]
) -> None:
    server.handler = whole()
    transport = Transport(spool_dir=tmp_path, reply_memory=0)
    with no_file_larger_than(3 * MIB), pytest.raises(SpoolFailedError):
        await image(transport, server)
    await server.all_closed()
    gc.collect()
    assert (len(readings), transport._memory.free, names_in(tmp_path)) == (1, 0, [])
    assert await image(transport, server) == LARGE
    await transport.close()
