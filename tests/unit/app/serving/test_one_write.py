"""The head of an answer and what follows at once are one write; nothing is kept back for longer, lost or reordered."""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.flow_control import FlowControl

from app.serving.one_write import OneWrite

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"


class Transport:
    def __init__(self) -> None:
        self.did: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.did.append(bytes(data))

    def is_closing(self) -> bool:
        return "closed" in self.did

    def close(self) -> None:
        self.did.append("closed")


def made() -> tuple[Transport, OneWrite]:
    transport = Transport()
    return transport, OneWrite(cast("asyncio.Transport", transport), asyncio.get_running_loop(), transport.close)


async def test_a_body_that_follows_at_once_goes_out_with_the_head() -> None:
    transport, one = made()
    one.write(HEAD)
    assert transport.did == []
    one.write(memoryview(b"fox"))
    assert transport.did == [HEAD + b"fox"]
    await asyncio.sleep(0)
    one.write(b"more")
    assert transport.did == [HEAD + b"fox", b"more"]


async def test_a_head_that_nothing_follows_goes_out_by_itself() -> None:
    transport, one = made()
    one.write(HEAD)
    await asyncio.sleep(0)
    assert transport.did == [HEAD]
    one.write(b"fox")
    assert transport.did == [HEAD, b"fox"]


async def test_a_large_body_is_not_copied_behind_its_head() -> None:
    transport, one = made()
    large = b"x" * 70_000
    one.write(HEAD)
    one.write(large)
    assert transport.did == [HEAD, large]


async def test_leave_to_send_the_body_is_given_at_once_and_is_no_head() -> None:
    transport, one = made()
    one.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert transport.did == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    one.write(HEAD)
    one.write(b"fox")
    assert transport.did[1:] == [HEAD + b"fox"]


async def test_what_was_written_goes_out_before_the_connection_closes() -> None:
    transport, one = made()
    one.write(HEAD)
    assert not one.is_closing()
    one.close()
    assert transport.did == [HEAD, "closed"]
    assert one.is_closing()
    await asyncio.sleep(0)
    assert len(transport.did) == 2


class Slow(Transport):
    """Has not sent yet what was written."""

    waiting = 5

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int | None = None) -> None:
        self.did.append(f"high {high}")


async def test_all_that_was_written_is_waited_for() -> None:
    transport = Slow()
    one = OneWrite(cast("asyncio.Transport", transport), asyncio.get_running_loop(), transport.close)
    flow = FlowControl(cast("asyncio.Transport", transport))
    one.write(HEAD)
    flow.pause_writing()
    waiting = asyncio.create_task(one.drained(flow))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert transport.did == [HEAD, "high 0"]
    flow.resume_writing()
    assert await waiting is True
    assert transport.did[-1] == "high None"
    transport.waiting = 0
    assert await one.drained(flow) is True
    transport.close()
    assert await one.drained(flow) is False
