"""The edge around an application that has bugs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from app.accounts.keys import Keys
from app.doors.edge import Edge
from app.doors.failures import answer_in_the_envelope
from app.telemetry import Telemetry
from tests.servers import running

PROMPT = "a secret prompt"


@pytest.fixture
def edge() -> Edge:
    app = FastAPI(openapi_url=None)
    answer_in_the_envelope(app)

    @app.get("/bug")
    async def bug() -> None:
        raise ValueError(PROMPT)

    @app.get("/cut")
    async def cut() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"half"
            raise ValueError(PROMPT)

        return StreamingResponse(body())

    @app.get("/number/{number}")
    async def number(number: int) -> int:
        return number

    return Edge(app, keys=Keys([]), metrics_keys=Keys([]), telemetry=Telemetry())


@pytest.fixture
def url(edge: Edge) -> Iterator[str]:
    with running(edge) as base:
        yield base


def test_a_bug_is_a_500_in_the_envelope_and_its_text_is_nowhere(edge: Edge, capfd: pytest.CaptureFixture[str]) -> None:
    with running(edge) as url:  # the answer leaves before the log line, which is written once the server has stopped
        response = httpx.get(f"{url}/bug")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert response.headers["x-request-id"].startswith("req_")
    logged = "".join(capfd.readouterr())
    assert "ValueError" in logged
    assert response.headers["x-request-id"] in logged
    assert PROMPT not in logged + response.text


def test_a_bug_in_mid_answer_cuts_the_connection(edge: Edge, capfd: pytest.CaptureFixture[str]) -> None:
    with running(edge) as url, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/cut")
    assert PROMPT not in "".join(capfd.readouterr())


def test_a_path_that_cannot_be_read_is_a_400_in_the_envelope(url: str) -> None:
    response = httpx.get(f"{url}/number/x")
    assert response.status_code == 400
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
