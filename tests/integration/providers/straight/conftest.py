"""On the server's own event loop and on Python's: they hand over what they read in different ways."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from app.serving.coarse_timers import CoarseLoop
from providers import straight
from providers.pieces import BUFFERED
from providers.transport import Transport
from tests.integration.providers.test_transport import names_in


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"coarse": CoarseLoop, "plain": asyncio.new_event_loop}


@pytest.fixture(autouse=True)
def readings(monkeypatch: pytest.MonkeyPatch) -> list[straight._Reading]:
    """Those that have begun."""
    begun: list[straight._Reading] = []
    through = straight._Reading.through

    async def noticed(self: straight._Reading, silence_s: float | None) -> None:
        begun.append(self)
        await through(self, silence_s)

    monkeypatch.setattr(straight._Reading, "through", noticed)
    return begun


@pytest.fixture(params=[0, BUFFERED], ids=["in a file", "in memory"])
async def transport(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Transport]:
    """Afterwards all it took is given back, and nobody has complained of anything."""
    gc.collect()  # what other tests left may complain now, not while this one runs
    carrying = Transport(spool_dir=tmp_path, reply_memory=request.param)
    yield carrying
    await carrying.close()
    gc.collect()
    assert carrying._memory.free == request.param
    assert names_in(tmp_path) == []
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [record.getMessage() for record in records] == []
