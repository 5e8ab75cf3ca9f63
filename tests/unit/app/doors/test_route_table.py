"""Permissions: denied unless declared, and only the exact spelling is open."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from app.accounts.access import Access
from app.doors.hosted import routes as hosted
from app.doors.openai_images import routes as openai_images
from app.doors.openapi import routes as openapi
from app.doors.ops import routes as ops
from app.doors.route_table import Permissions, RouteTable, UndeclaredRouteError, registered


async def nothing() -> None:
    pass


async def answer(request: Request) -> Response:
    return Response()


async def ear(socket: WebSocket) -> None:
    pass


def bare() -> FastAPI:
    return FastAPI(openapi_url=None, docs_url=None, redoc_url=None)


@pytest.fixture(scope="module")
def served() -> Permissions:
    return registered(bare(), ops.router, openapi.router, hosted.router, openai_images.router)


def test_the_open_routes_are_these_and_no_others(served: Permissions) -> None:
    assert {pattern.pattern: access for pattern, access in served._routes if access is not Access.KEY} == {
        "^/healthz$": Access.OPEN,
        "^/readyz$": Access.OPEN,
        "^/metrics$": Access.METRICS,
        "^/v1/images/files/(?P<rest>.*)$": Access.OPEN,
    }


def test_only_the_exact_paths_are_open(served: Permissions) -> None:
    assert served.of("/healthz") is Access.OPEN
    assert served.of("/readyz") is Access.OPEN
    assert served.of("/metrics") is Access.METRICS


def test_images_by_url_are_open_for_their_signature_is_the_key(served: Permissions) -> None:
    assert served.of("/v1/images/files/signature/name.png") is Access.OPEN
    assert served.of("/v1/images/files") is Access.KEY
    assert served.of("/v1//images/files/signature/name.png") is Access.KEY


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//healthz",
        "/healthz/",
        "/HEALTHZ",
        "/Readyz",
        "/healthz;a",
        "/healthz\x00",
        "/healthz\n",
        "/metrics\n",
        "/healthz\r\n",
        "/healthz ",
        "/./healthz",
        "/v1/../healthz",
        "/healthz/../v1/models",
        "/%68ealthz",
        "/healthz%2f",
        "/metrics/",
        "//metrics",
        "/METRICS",
        "healthz",
        "/v1/healthz",
        "/v1/images/generations",
        "/v1/images/files/../generations\n",
        "/v1/Images/files/a",
        "/nothing/here",
    ],
)
def test_every_other_spelling_asks_for_a_key(served: Permissions, path: str) -> None:
    assert served.of(path) is Access.KEY


def test_where_two_routes_serve_a_path_the_strictest_decides() -> None:
    lenient, strict = RouteTable(), RouteTable()
    lenient.add("/all/{rest:path}", nothing, methods=["GET"], access=Access.OPEN)
    lenient.add("/all/figures", nothing, methods=["GET"], access=Access.METRICS)
    strict.add("/all/secret", nothing, methods=["GET"], access=Access.KEY)
    for tables in ((lenient, strict), (strict, lenient)):
        permissions = registered(bare(), *tables)
        assert permissions.of("/all/secret") is Access.KEY
        assert permissions.of("/all/figures") is Access.METRICS
        assert permissions.of("/all/else") is Access.OPEN


def test_without_any_route_everything_asks_for_a_key() -> None:
    assert Permissions([]).of("/healthz") is Access.KEY


def test_a_table_takes_no_route_that_does_not_say_who_may_call_it() -> None:
    with pytest.raises(TypeError, match="access"):
        RouteTable().add("/new", nothing, methods=["GET"])  # type: ignore[call-arg]


@pytest.mark.parametrize("late", ["route", "decorator", "router", "mount", "websocket", "documentation"])
def test_a_route_that_came_from_elsewhere_is_refused(late: str) -> None:
    app = bare() if late != "documentation" else FastAPI()
    router = APIRouter()
    router.add_api_route("/new", nothing, methods=["GET"])
    if late == "route":
        app.add_route("/new", answer)
    elif late == "decorator":
        app.get("/new")(nothing)
    elif late == "router":
        app.include_router(router)
    elif late == "mount":
        app.mount("/new", Starlette())
    elif late == "websocket":
        app.add_api_websocket_route("/new", ear)
    with pytest.raises(UndeclaredRouteError, match=r"^The route \S+ does not say who may call it: add it to a"):
        registered(app, ops.router)
