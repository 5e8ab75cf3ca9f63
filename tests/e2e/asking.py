"""Asking a gateway by plain HTTP, and holding what it tells against the vendors' books."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.e2e import patient
from tests.e2e.conftest import NANO_BANANA_2, Vendors

PROMPT = "a red fox in the snow"
FOUR = ("gemini", "vertex", "fal", "replicate")

Upload = bytes | tuple[str, bytes, str]
"""A file's bytes, or its name, bytes and media type."""


def ask(url: str, *, headers: Any = None, **fields: Any) -> httpx.Response:
    """One generation request at 16:9 and 1K unless told otherwise."""
    body = {"model": NANO_BANANA_2, "prompt": PROMPT, "size": "1376x768", **fields}
    return httpx.post(f"{url}/v1/images/generations", json=body, headers=headers, timeout=60)


def edit(
    url: str, *images: Upload, mask: Upload | None = None, query: str = "", name: str = "image", **fields: Any
) -> httpx.Response:
    """One edit as a form, its images under ``name``; several under one name are a list."""
    files: list[tuple[str, Any]] = [(name, _file(image, place)) for place, image in enumerate(images)]
    if mask is not None:
        files.append(("mask", _file(mask, len(images))))
    data = {"model": NANO_BANANA_2, "prompt": PROMPT, **{key: str(value) for key, value in fields.items()}}
    return httpx.post(f"{url}/v1/images/edits{query}", data=data, files=files, timeout=60)


def edit_json(url: str, *, query: Any = "", **fields: Any) -> httpx.Response:
    """One edit as a JSON document."""
    body = {"model": NANO_BANANA_2, "prompt": PROMPT, **fields}
    return httpx.post(f"{url}/v1/images/edits{query}", json=body, timeout=60)


@contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    """A connection of one's own."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as opened:
        yield opened


def head(path: str, length: int, key: str = "none") -> bytes:
    """How a JSON request of this length begins."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\napi-key: {key}\r\n"
        f"content-length: {length}\r\n\r\n"
    ).encode()


def _file(upload: Upload, place: int) -> tuple[str, bytes, str]:
    return (f"{place}.png", upload, "image/png") if isinstance(upload, bytes) else upload


def story(response: httpx.Response) -> list[tuple[str, str, str]]:
    """Provider, outcome and spend of every attempt."""
    return [
        (attempt["provider"], attempt["outcome"], attempt["spend"])
        for attempt in response.json()["metadata"]["attempts"]
    ]


def warned(response: httpx.Response) -> dict[str, str]:
    """What the answer warns of: message by parameter."""
    return {each["parameter"]: each["message"] for each in response.json()["metadata"]["warnings"]}


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error of an answer that is one, in the envelope."""
    assert response.status_code == status, response.text[:600]
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert response.headers["x-request-id"].startswith("req_")
    return error


def metric(url: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    lines = patient.get(f"{url}/metrics").text.splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.partition("{")[0].partition(" ")[0] == name and all(each in line for each in wanted)
    )


def assert_books_agree(response: httpx.Response, vendors: Vendors) -> None:
    """Whatever a vendor billed is told as charged or possible, and whatever is told as charged was billed."""
    assert_all_books_agree([response], vendors)


def assert_all_books_agree(responses: Sequence[httpx.Response], vendors: Vendors) -> None:
    """The same for all requests since the books were opened."""
    told = [attempt for response in responses for attempt in story(response)]
    for provider in FOUR:
        mine = [spend for name, _, spend in told if name == provider]
        images = vendors.sums(provider)["images"]
        assert mine.count("charged") <= images <= mine.count("charged") + mine.count("possible"), (provider, told)
        asked = vendors.sums(provider)["requests"]
        assert asked <= len(mine), (provider, told)


def told_cost(response: httpx.Response) -> Decimal:
    """USD that the attempts say vendors surely bill, the successful ones included."""
    attempts = response.json()["metadata"]["attempts"]
    return sum((Decimal(attempt["cost_usd"]) for attempt in attempts), Decimal(0))


def billed(vendors: Vendors) -> Decimal:
    """USD all vendors billed since the books were opened."""
    return sum((vendors.sums(provider)["billed"] for provider in FOUR), Decimal(0))
