"""When the gateway itself cannot go on: a true error, the vendors not blamed, the payment told."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.asking import ask, story
from tests.e2e.conftest import StartGateway, Vendors


@pytest.mark.parametrize("provider", ["gemini", "replicate"])
def test_a_spool_folder_that_is_gone_is_our_own_fault(
    start: StartGateway, vendors: Vendors, tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The simulator's pictures compress too well to be spooled; a real 4K answer is ten times the threshold.
    for threshold in ("SPOOL_THRESHOLD", "STATED_THRESHOLD"):
        for module in ("spool", "piece_spool"):
            monkeypatch.setattr(f"providers.{module}.{threshold}", 16 * 1024)
    url = start(gateway_spool_dir=tmp_path / "gone", gateway_reply_memory=0)
    response = ask(url, model=f"{provider}/nano-banana-2", size="4096x4096")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    ((name, outcome, spend),) = story(response)
    assert (name, outcome) == (provider, "own_fault")
    assert spend != "none"
    assert response.headers["x-should-retry"] == "false"
    assert vendors.sums(provider)["images"] == 1


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_a_caller_who_is_still_sending_when_our_disk_fails_is_answered(
    start: StartGateway, tmp_path: Path, kind: str
) -> None:
    """Also one who closes after each request: a connection that is closed under what it sends is reset, and it would
    never see the answer."""
    url = urlsplit(start(gateway_spool_dir=tmp_path / "gone"))
    size = 24_000_000
    begin = b'{"image": "' if kind.endswith("json") else b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
    head = f"POST /v1/images/edits HTTP/1.1\r\nhost: {url.netloc}\r\nconnection: close\r\ncontent-type: {kind}\r\n"
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=30) as client:
        client.sendall(f"{head}content-length: {size}\r\n\r\n".encode() + begin)
        left = size - len(begin)
        while left:
            left -= client.send(b"A" * min(left, 100_000))
        answer = b""
        while received := client.recv(65536):
            answer += received
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "internal_error"
