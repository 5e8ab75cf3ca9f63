"""The document as a whole. Imported when it is first asked for: a gateway nobody asks need not hold it."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version

from app.catalog.catalog import Catalog
from app.doors.openapi.answers import Schema, schemas
from app.doors.openapi.fields import REFERENCE, body
from app.doors.openapi.operations import paths
from app.doors.openapi.responses import HEADERS, shared

_PROSE = """\
Speaks the OpenAI Images API and buys each image from the provider that is best for this request.

Every path but those of hosted images, `/healthz`, `/readyz`, `/metrics` and `/openapi.json` is served without `/v1` and
under `/openai/v1` too (`x-also-under`). `GET` implies `HEAD`. Without `GATEWAY_API_KEYS` no key is asked for, and only
programs on the same machine are served.

Bodies are read leniently: a field may be null or empty, numbers and flags may come as text, a body of
`application/json` may come without that type. Fields nobody knows become warnings. A request that is not HTTP gets 400,
one whose path is too long 414, one whose header is too large 431, one whose header does not come 408, another transfer
coding than chunked 501, another version than HTTP/1.1 or 1.0 505; an unknown path 404, another method 405, all in the
same envelope.
"""
ALSO_UNDER = "x-also-under"


def document(catalog: Catalog, prefixes: tuple[str, ...]) -> Schema:
    """The document for what this catalog sells. ``prefixes`` are those of the callers' paths, the main one first."""
    main, *others = prefixes
    described = paths()
    for path, item in described.items():
        if path.startswith(f"{main}/") and item.get("get", {}).get("security") != []:
            item[ALSO_UNDER] = [other + path.removeprefix(main) for other in others]
    described["/openapi.json"][ALSO_UNDER] = [f"{prefix}/openapi.json" for prefix in prefixes if prefix]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Image gateway",
            "version": _version(),
            "summary": "The OpenAI Images API in front of several providers.",
            "description": _PROSE,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"api-key": []}, {"x-api-key": []}],
        "tags": [
            {"name": "images", "description": "Making images and having them."},
            {"name": "models", "description": "What can be asked for."},
            {"name": "routing", "description": "How providers do, and who would be asked."},
            {"name": "operating", "description": "For operators and orchestrators."},
        ],
        "paths": described,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "headers": HEADERS,
            "responses": shared(),
            "schemas": {
                "GenerationBody": body(catalog, form=False, editing=False),
                "GenerationForm": body(catalog, form=True, editing=False),
                "EditBody": body(catalog, form=False, editing=True),
                "EditForm": body(catalog, form=True, editing=True),
                "ImageReference": REFERENCE,
                **schemas(tuple(catalog.policy.objectives)),
            },
        },
    }


def as_bytes(catalog: Catalog, prefixes: tuple[str, ...]) -> bytes:
    """The document as JSON."""
    return json.dumps(document(catalog, prefixes)).encode("ascii")


def _version() -> str:
    try:
        return version("image-gateway")
    except PackageNotFoundError:  # run out of a folder that was never installed
        return "0"
