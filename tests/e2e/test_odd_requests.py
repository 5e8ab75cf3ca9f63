"""Odd requests by the hundred, over raw sockets and without a key: none passes, and the gateway lives on."""

from __future__ import annotations

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from app.demo import simulated_settings
from app.main import create_app
from app.serving.wire import BoundedProtocol
from app.settings import Settings
from providers.registry import PROVIDERS
from tests.e2e import patient
from tests.e2e.conftest import Vendors
from tests.e2e.odd_requests import drawn, pieces
from tests.servers import running

KEY = "caller-key-one"
CANARY = b"GET /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
"""Behind every odd request: never answered with what only a key opens."""
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
QUIET_S = 0.5
EXPECTED = {200, 400, 401, 404, 405, 408, 413, 415, 416, 417, 431, 501, 505}


@pytest.fixture(scope="module")
def gateway(simulator: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gateway")
    base = Settings(_env_file=None, gateway_spool_dir=folder, gateway_data_dir=folder / "data", gateway_api_keys=KEY)
    with running(create_app(simulated_settings(base, PROVIDERS, simulator.url)), http=BoundedProtocol) as url:
        yield url


def told(address: tuple[str, int], parts: list[bytes]) -> bytes:
    """What comes back until the server closes, or until nothing more comes: then it waits for more of a request."""
    with socket.create_connection(address, timeout=QUIET_S) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = bytearray()
        with suppress(ConnectionError):
            for part in parts:
                raw.sendall(part)
        with suppress(ConnectionError, TimeoutError):
            while piece := raw.recv(65536):
                received += piece
    return bytes(received)


def judge(answers: bytes) -> list[int]:
    """The statuses of what came back. Asserts that each is a whole answer, and that none opens what asks for a key."""
    statuses: list[int] = []
    while answers:
        head = ANSWER.match(answers)
        assert head is not None, answers[:300]
        status, lines = int(head[1]), head[2].lower()
        answers = answers[head.end() :]
        if status == 100:
            continue
        statuses.append(status)
        assert status in EXPECTED, head[0]
        assert b"\r\nx-request-id: req_" in b"\r\n" + lines
        assert b"\r\nx-content-type-options: nosniff\r\n" in b"\r\n" + lines
        length = re.search(rb"content-length: (\d+)", lines)
        assert length is not None
        body, rest = answers[: int(length[1])], answers[int(length[1]) :]
        if not body.startswith(b"{") and (answers.startswith(b"HTTP/1.1") or not answers) and length[1] != b"0":
            rest = answers  # of a HEAD
        elif status >= 400:
            assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
        else:
            assert b'"object": "list"' not in body, "the models were shown"
            assert b"openapi" not in body[:40], "the document was shown"
        answers = rest
    return statuses


def attempts(url: str, seeds: range) -> Counter[int]:
    """Statuses of everything that came back; 0 where nothing did."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)

    def attempt(seed: int) -> list[int]:
        request = drawn(seed)
        statuses = judge(told(address, [*pieces(request, seed), CANARY]))
        assert len(statuses) <= 3, request
        return statuses or [0]

    with ThreadPoolExecutor(16) as hands:
        return Counter(status for statuses in hands.map(attempt, seeds) for status in statuses)


def lives_on(url: str, vendors: Vendors) -> None:
    assert vendors.books() == []
    assert patient.get(f"{url}/v1/models", headers={"api-key": KEY}).status_code == 200
    assert patient.get(f"{url}/v1/models").status_code == 401


def test_no_odd_request_passes(gateway: str, vendors: Vendors) -> None:
    seen = attempts(gateway, range(500))
    assert {200, 400, 401, 404} <= set(seen)
    lives_on(gateway, vendors)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_odd_request_passes_at_length(gateway: str, vendors: Vendors) -> None:
    attempts(gateway, range(1000, 21_000))
    lives_on(gateway, vendors)
