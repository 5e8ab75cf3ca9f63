"""A server that can do anything, and a transport to ask it with; who needs another has it in its place."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.transport import Transport
from tests.integration.providers.loopback import Loopback, loopback


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with loopback() as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    carrying = Transport()
    yield carrying
    await carrying.close()
