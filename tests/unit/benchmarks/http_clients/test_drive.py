from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.http_clients.contract import PIECE, Post, Target
from benchmarks.http_clients.drive import Job, candidate, measured, request
from benchmarks.http_clients.install import NAMES, versions
from benchmarks.http_clients.scenarios import CANDIDATES, SCENARIOS, takes_part

MODULES = ("with_aiohttp", "with_httpx", "with_ours")
"""Those whose libraries the project has; the others are in the environment of the benchmark only."""


class Upstream:
    def __init__(self) -> None:
        self.status = "200 OK"
        self.bodies: list[bytes] = []
        self.port = 0
        self.open = self.most = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1]) for line in asked.split(b"\r\n") if b"content-length" in line.lower()
                )
                self.bodies.append(await reader.readexactly(length))
                self.open += 1
                self.most = max(self.most, self.open)
                await asyncio.sleep(0.02)
                self.open -= 1
                head = f"HTTP/1.1 {self.status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
                writer.write(head.encode() + b"{}")
        writer.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


def job(upstream: Upstream, module: str, spool: Path) -> Job:
    return Job(module, f"http://127.0.0.1:{upstream.port}", str(spool), "small", at_once=3, count=6)


@pytest.mark.parametrize("module", MODULES)
async def test_a_job_is_done_with_so_many_requests_open_at_once(
    module: str, upstream: Upstream, tmp_path: Path
) -> None:
    figures = await measured(job(upstream, module, tmp_path))
    assert len(upstream.bodies) == 7  # one went before
    assert upstream.most == 3
    assert figures["cpu_ms"] > 0
    assert figures["p99_ms"] >= figures["p50_ms"] >= 20
    assert figures["mb_each"] >= 0


async def test_memory_is_not_told_of_a_process_that_was_warmed_up(upstream: Upstream, tmp_path: Path) -> None:
    assert "mb_each" not in await measured(replace(job(upstream, "with_aiohttp", tmp_path), warm=3))


async def test_a_reply_that_is_an_error_is_no_measurement(upstream: Upstream, tmp_path: Path) -> None:
    upstream.status = "500 Internal Server Error"
    with pytest.raises(RuntimeError, match="500"):
        await measured(job(upstream, "with_aiohttp", tmp_path))


@pytest.mark.parametrize("module", MODULES)
async def test_a_body_in_pieces_arrives_as_it_is(module: str, upstream: Upstream, tmp_path: Path) -> None:
    client = candidate(module, Target(f"http://127.0.0.1:{upstream.port}", None, tmp_path))
    body = b"ab" * PIECE + b"c"
    await client.post(Post("/x", body, {}), lambda _: None)
    await client.close()
    assert upstream.bodies == [body]


def test_the_upstream_reads_size_and_delay_from_the_prompt() -> None:
    asked = Job("", "", "", "4k", at_once=1, count=1, delay_ms=50, upload_bytes=1000)
    assert b"size=4k delay=50" in request(asked).body
    assert len(request(asked).body) > 1000


def test_http2_is_asked_over_tls_only() -> None:
    second = next(each for each in CANDIDATES if each.http2)
    assert {each.tls for each in SCENARIOS if takes_part(second, each)} == {True}


def test_every_library_that_a_report_names_is_pinned() -> None:
    assert set(versions()) == set(NAMES)
    assert all(version[0].isdigit() for version in versions().values())
