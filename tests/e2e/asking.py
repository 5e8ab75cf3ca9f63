"""Asking a gateway by plain HTTP, and holding what it tells against the vendors' books."""

from __future__ import annotations

from typing import Any

import httpx

from tests.e2e.conftest import NANO_BANANA_2, Vendors

PROMPT = "a red fox in the snow"


def ask(url: str, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    """One generation request at 16:9 and 1K unless told otherwise."""
    body = {"model": NANO_BANANA_2, "prompt": PROMPT, "size": "1376x768", **fields}
    return httpx.post(f"{url}/v1/images/generations", json=body, headers=headers, timeout=60)


def story(response: httpx.Response) -> list[tuple[str, str, str]]:
    """Provider, outcome and spend of every attempt."""
    return [
        (attempt["provider"], attempt["outcome"], attempt["spend"])
        for attempt in response.json()["metadata"]["attempts"]
    ]


def assert_books_agree(response: httpx.Response, vendors: Vendors) -> None:
    """Whatever a vendor billed is told as charged or possible, and whatever is told as charged was billed."""
    told = story(response)
    for provider in ("gemini", "vertex", "fal", "replicate"):
        mine = [spend for name, _, spend in told if name == provider]
        images = vendors.sums(provider)["images"]
        assert mine.count("charged") <= images <= mine.count("charged") + mine.count("possible"), (provider, told)
        asked = vendors.sums(provider)["requests"]
        assert asked <= len(mine), (provider, told)
