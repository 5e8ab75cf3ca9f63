"""The OpenAPI document: valid, and neither more nor less than what is served and read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate
from starlette.routing import Match, Route

from app.catalog.catalog import Catalog
from app.demo import simulated_settings
from app.doors.admitting import Admitting
from app.doors.edge import Edge
from app.doors.openai_images import schema
from app.doors.openai_images.fields import Fields
from app.doors.openai_images.image_names import IMAGE_NAMES, MASK_NAMES
from app.doors.openai_images.routes import PREFIXES
from app.doors.openapi import fields
from app.doors.openapi.document import ALSO_UNDER, as_bytes, document
from app.doors.shortcuts import Shortcuts
from app.main import create_app, load
from app.settings import Settings
from providers.registry import PROVIDERS

UNSAID = frozenset({"extra_headers", "extra_query", "extra_body", "api_key", "apiKey", "markup"})
"""Names that are read and not described: options of a client library, which some callers send as fields and which may
hold its secrets, and what is always refused."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load(Settings(_env_file=None))


@pytest.fixture(scope="module")
def described(catalog: Catalog) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(as_bytes(catalog, PREFIXES))
    return whole


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    base = Settings(_env_file=None, gateway_data_dir=tmp_path_factory.mktemp("data"))
    edge = create_app(simulated_settings(base, PROVIDERS, "http://127.0.0.1:1"))
    assert isinstance(edge, Edge)
    assert isinstance(edge._app, Admitting)
    assert isinstance(edge._app._app, Shortcuts)
    app = edge._app._app._app
    assert isinstance(app, FastAPI)
    found = [route for route in app.routes if isinstance(route, Route)]
    assert len(found) == len(app.routes)
    return found


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Path as a client spells it, method, and the path it is described under."""
    for path, item in described["paths"].items():
        methods = {name.upper() for name in item} & {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
        for spelt in (path, *item.get(ALSO_UNDER, ())):
            for method in methods | ({"HEAD"} if "GET" in methods else set()):
                yield spelt.replace("{", "").replace("}", ""), method, path


def taking(routes: list[Route], path: str, method: str) -> Route | None:
    scope = {"type": "http", "path": path, "root_path": "", "method": method}
    return next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)


def test_it_is_valid(described: dict[str, Any]) -> None:
    validate(described)


def test_every_described_path_exists(described: dict[str, Any], routes: list[Route]) -> None:
    missing = [(method, path) for path, method, _ in operations(described) if taking(routes, path, method) is None]
    assert missing == []


def test_every_route_is_described(described: dict[str, Any], routes: list[Route]) -> None:
    served = {(route.path, method) for route in routes for method in route.methods or ()}
    found = [(taking(routes, path, method), method) for path, method, _ in operations(described)]
    told = {(route.path, method) for route, method in found if route is not None}
    assert served - told == set(), "describe these routes in app/doors/openapi/operations.py"


def test_a_path_is_served_by_the_same_handler_under_all_its_spellings(
    described: dict[str, Any], routes: list[Route]
) -> None:
    handlers: dict[tuple[str, str], set[Any]] = {}
    for path, method, main in operations(described):
        route = taking(routes, path, method)
        handlers.setdefault((main, method), set()).add(route and route.endpoint)
    assert {key: found for key, found in handlers.items() if len(found) != 1} == {}


def test_every_reference_leads_somewhere_and_nothing_is_left_over(described: dict[str, Any]) -> None:
    text = json.dumps(described)
    for kind, found in described["components"].items():
        for name in found:
            referred = f'"#/components/{kind}/{name}"' in text
            told = name in text.replace(f'"{name}":', "")
            assert referred or told, f"{kind} {name} is never spoken of"


@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("editing", [False, True])
def test_the_fields_described_are_those_that_are_read(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, form: bool, editing: bool
) -> None:
    asked: set[str] = set()
    take, take_all, drop = Fields.take, Fields.take_all, Fields.drop

    def taking(self: Fields, *names: str) -> tuple[str, Any]:
        asked.update(names)
        return take(self, *names)

    def taking_all(self: Fields, *names: str) -> Iterator[tuple[str, Any]]:
        asked.update(names)
        return take_all(self, *names)

    def dropping(self: Fields, *names: str) -> None:
        asked.update(names)
        drop(self, *names)

    monkeypatch.setattr(Fields, "take", taking)
    monkeypatch.setattr(Fields, "take_all", taking_all)
    monkeypatch.setattr(Fields, "drop", dropping)
    said = {"prompt": "a fox", "image": "https://example.com/fox.png", "width": 640, "height": 480}
    schema.parse_body({**said, "provider": {"sort": "price"}}, editing=False, max_timeout_s=600)
    schema.parse_body({**said, "size": "auto"}, editing=False, max_timeout_s=600)

    described = fields.body(catalog, form=form, editing=editing)["properties"]
    known = {*described, *IMAGE_NAMES, *MASK_NAMES}
    known |= {name for field in fields.fields(catalog).values() for name in field.also}
    read = {name for name in asked if "." not in name} - UNSAID
    assert known == read


def test_the_other_names_of_a_field_are_told(catalog: Catalog) -> None:
    described = fields.body(catalog, form=False, editing=False)["properties"]
    for name, field in fields.fields(catalog).items():
        assert all(f"`{other}`" in described[name]["description"] for other in field.also)
    assert all(f"`{name}`" in described["images"]["description"] for name in IMAGE_NAMES[2:])


def test_what_is_open_and_what_asks_for_a_key_is_what_the_edge_does(described: dict[str, Any]) -> None:
    free = {path for path, item in described["paths"].items() for each in item.values() if _security(each) == []}
    assert free == {"/healthz", "/readyz", "/v1/images/files/{signature}/{name}"}
    assert {} in described["paths"]["/metrics"]["get"]["security"]


def _security(operation: Any) -> Any:
    return operation.get("security") if isinstance(operation, dict) else None


def test_what_depends_on_the_operators_files_comes_from_them(catalog: Catalog) -> None:
    properties = document(catalog, PREFIXES)["components"]["schemas"]["GenerationBody"]["properties"]
    assert properties["model"]["examples"] == list(catalog.models)
    assert properties["policy"]["enum"] == [*catalog.policy.objectives, None]
    assert properties["timeout"]["maximum"] == catalog.policy.max_timeout_s
