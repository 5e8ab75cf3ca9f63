"""Shortcuts serve what the router would serve, to the letter of the path, and leave everything else to it."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from app.doors.openai_images.routes import BUSIEST, router
from app.doors.shortcuts import Shortcuts


def application() -> Shortcuts:
    app = FastAPI(redirect_slashes=False)

    async def routed(request: Request) -> Response:
        return PlainTextResponse(f"routed {request.url.path}")

    async def short(request: Request) -> Response:
        assert request.app is app
        return PlainTextResponse(f"short {(await request.body()).decode()}")

    app.add_api_route("/{rest:path}", routed, methods=["GET", "POST"])
    return Shortcuts(app, {("POST", "/images"): short})


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("POST", "/images", "short fox"),
        ("GET", "/images", "routed /images"),
        ("POST", "/images/", "routed /images/"),
        ("POST", "//images", "routed //images"),
        ("POST", "/Images", "routed /Images"),
    ],
)
async def test_only_the_very_method_and_path_are_short(method: str, path: str, told: str) -> None:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.request(method, f"http://here{path}", content="fox")
    assert answer.text == told


async def test_below_another_root_nothing_is_short() -> None:
    transport = httpx.ASGITransport(application(), root_path="/elsewhere")
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        assert (await client.post("/images")).text.startswith("routed")


def test_every_shortcut_is_a_route_with_the_same_endpoint() -> None:
    routed = {(method, each.path): each.endpoint for each in router._declared for method in each.methods}
    assert BUSIEST.items() <= routed.items()
