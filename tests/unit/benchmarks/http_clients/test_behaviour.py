from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import aiohttp
import pytest

from benchmarks.http_clients import behaviour as asked
from benchmarks.http_clients import with_aiohttp
from benchmarks.http_clients.behaviour import behaviour
from benchmarks.http_clients.contract import Answer, Client, Post, Target, Write

NAMED = ("what that is called", "what a refused connection is called")


class Careless:
    """Goes on with what nobody waits for any more, sends everything twice and does not tell faults apart."""

    def __init__(self, target: Target) -> None:
        self._client: Client = with_aiohttp.Client(target)
        self._kept: set[asyncio.Task[Answer]] = set()

    async def post(self, ask: Post, write: Write) -> Answer:
        for last in (False, True):
            task = asyncio.create_task(self._client.post(ask, write))
            self._kept.add(task)
            try:
                return await asyncio.shield(task)
            except (OSError, aiohttp.ClientError) as broken:
                if last:
                    raise ConnectionError from broken
        raise AssertionError

    async def close(self) -> None:
        kept = {*self._kept}
        for task in kept:
            task.cancel()
        await asyncio.gather(*kept, return_exceptions=True)
        await self._client.close()


@pytest.mark.parametrize("module", ["with_aiohttp", "with_httpx"])
async def test_what_we_use_and_what_we_test_with_do_right_by_a_post(module: str, tmp_path: Path) -> None:
    found = await behaviour(module, tmp_path)
    assert {question: answer for question, answer in found.items() if question not in NAMED and answer != "yes"} == {}
    assert found[NAMED[0]] != found[NAMED[1]]


async def test_a_client_that_does_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(asked, "candidate", lambda _, target: Careless(target))
    monkeypatch.setattr(asked, "_PATIENCE_S", 0.5)
    found = await behaviour("", tmp_path)
    assert found["a cancelled POST closes its connection"] == "**no**"
    assert found["a POST that was read and not answered is not sent again"] == "**no**"
    assert found[NAMED[0]] == found[NAMED[1]] == "ConnectionError"


async def test_an_answer_that_comes_whole_at_last_brings_no_events(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Whole(with_aiohttp.Client):
        def post(self, ask: Post, write: Write) -> Awaitable[Answer]:  # type: ignore[override]
            return self._whole(ask, write)

        async def _whole(self, ask: Post, write: Write) -> Answer:
            held: list[bytes | memoryview] = []
            answer = await super().post(ask, held.append)
            for each in held:
                write(each)
            return answer

    monkeypatch.setattr(asked, "candidate", lambda _, target: Whole(target))
    monkeypatch.setattr(asked, "_PATIENCE_S", 0.5)
    assert (await behaviour("", tmp_path))["an event is handed over when it has come"] == "**no**"
