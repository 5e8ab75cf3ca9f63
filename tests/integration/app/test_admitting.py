"""Clients that read slowly, or leave while they read, before a real server: what they take and what stays of it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.accounts.keys import Keys
from app.admission.budget import Phase
from app.admission.limits import AdmissionLimits
from app.admission.visit import Admission
from app.doors import reply
from app.doors.admitting import Admitting
from app.doors.edge import Edge
from app.doors.openai_images.entrance import admitted
from app.doors.reply import PartsResponse
from app.telemetry import Telemetry
from providers.spool import Spool
from tests.e2e.test_hang_up import until
from tests.servers import running

MIB = 1024 * 1024
ANSWER = 16 * MIB
"""More than the system buffers on the way."""


class Inside:
    """An application whose answers are large, and its admission."""

    def __init__(self, folder: Path, limits: AdmissionLimits) -> None:
        self.admission = Admission(limits)
        self._folder = folder
        inner = Starlette(routes=[Route("/", self._answer, methods=["POST"])])
        outer = Admitting(inner, self.admission)
        self.app = Edge(outer, keys=Keys([]), metrics_keys=Keys([]), telemetry=Telemetry())

    async def _answer(self, request: Request) -> Response:
        """As if a vendor had sent so much."""
        length = int((await request.body()).decode())
        await admitted(request, timeout_s=60)
        spool = Spool(self._folder, limit=ANSWER)
        for _ in range(length // MIB):
            spool.write(bytes(MIB))
        return PartsResponse([memoryview(spool.finish())], {})

    def held(self) -> int:
        return sum(self.admission.budget.held(phase) for phase in Phase)


@pytest.fixture
def inside(tmp_path: Path) -> Inside:
    return Inside(tmp_path, AdmissionLimits(max_in_flight=1, queue_limit=0, body_budget=MIB))


@contextlib.contextmanager
def reading_nothing(url: str) -> Iterator[socket.socket]:
    """A client that has asked for the large answer and leaves it where it is."""
    parts = urlsplit(url)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow.settimeout(60)
        slow.connect((parts.hostname, parts.port))
        asked = str(ANSWER).encode()
        slow.sendall(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(asked), asked))
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
        yield slow


def test_a_slow_reader_takes_nobodys_place_and_a_budget_full_of_answers_keeps_nobody_out(inside: Inside) -> None:
    with running(inside.app) as url:
        with reading_nothing(url) as slow:
            assert inside.admission.budget.held(Phase.ANSWERING) == ANSWER
            assert inside.admission.gate.in_flight == 0
            assert len(httpx.post(url, content=str(MIB)).content) == MIB
            received = 0
            while received < ANSWER:  # and a paid answer comes whole, however late
                received += len(slow.recv(MIB))
        assert until(lambda: inside.held() == 0)


def test_a_client_that_hangs_up_while_it_reads_leaves_nothing(inside: Inside) -> None:
    with running(inside.app) as url:
        with reading_nothing(url):
            assert inside.held() == ANSWER
        assert until(lambda: inside.held() == 0)


def test_a_client_that_never_reads_is_let_go(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "WRITE_SECONDS", 0.3)
    with running(inside.app) as url, reading_nothing(url):
        assert until(lambda: inside.held() == 0)
