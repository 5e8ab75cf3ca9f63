"""The operations of the OpenAPI document: every path, what it takes and what it answers."""

from __future__ import annotations

from typing import Any

from app.accounts.access import Access
from app.doors.hosted import routes as hosted
from app.doors.openapi.answers import Schema
from app.doors.openapi.responses import (
    ANY_TIME,
    JSON,
    MADE,
    MAKING,
    WITH_BODY,
    WITH_KEY,
    answer,
    error,
    errors,
    json_of,
)
from app.doors.ops import routes as ops
from app.doors.route_table import permissions_of
from app.hosting.signing import PREFIX as HOSTED

_EVENTS = "text/event-stream"
_FORM = "multipart/form-data"

_PERMISSIONS = permissions_of(ops.router, hosted.router)
"""Of the tables in which a route may ask for less than a key."""

_MODEL_ID: Schema = {
    "name": "model_id",
    "in": "path",
    "required": True,
    "description": "A name or an alias; a provider may stand before it: `fal/nano-banana-2`.",
    "schema": {"type": "string", "minLength": 1},
}
_DRY_RUN: Schema = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "allowEmptyValue": True,
    "description": "The route plan, and no image. The bare name counts as true.",
    "schema": {"type": "string", "enum": ["true", "false", "1", "0", "yes", "no", ""]},
}


def paths() -> dict[str, Schema]:
    """Every path under its first spelling."""
    described = {
        "/v1/images/generations": {"post": _order("createImage", "GenerationBody", "GenerationForm")},
        "/v1/images/edits": {"post": _order("editImage", "EditBody", "EditForm")},
        "/v1/images/variations": {"post": _variations()},
        f"{HOSTED}{{signature}}/{{name}}": {"get": _hosted(), "head": _hosted(bodiless=True)},
        "/v1/models": {"get": _get("listModels", "The models that can be asked for now.", "ModelList", "models")},
        "/v1/models/{model_id}": {"get": _of_model("getModel", "One model.", "Model", "models")},
        "/v1/models/{model_id}/providers": {
            "get": _of_model("rankProviders", "The figures of one model's offers.", "RankingList", "routing")
        },
        "/v1/stats": {"get": _get("rankAllProviders", "The figures of all offers.", "RankingList", "routing")},
        "/v1/route": {"post": _route()},
        "/openapi.json": {
            "get": _operation(
                "getDocument",
                "This document.",
                "operating",
                {"200": answer("The document.", {JSON: {"schema": {"type": "object"}}}), **errors(*WITH_KEY)},
            )
        },
        "/healthz": {"get": _get("isAlive", "The process serves requests.", "Health", "operating", ANY_TIME)},
        "/readyz": {"get": _ready()},
        "/metrics": {"get": _metrics()},
    }
    for path, item in described.items():
        _secure(path, item)
    return described


def _operation(name: str, summary: str, tag: str, responses: Schema, **more: Any) -> Schema:
    return {"operationId": name, "summary": summary, "tags": [tag], **more, "responses": responses}


def _secure(path: str, item: Schema) -> None:
    access = _PERMISSIONS.of(path)
    for operation in item.values():
        if access is Access.OPEN:
            operation["security"] = []
        elif access is Access.METRICS:
            operation["security"] = [{}, {"bearer": []}, {"api-key": []}, {"x-api-key": []}]


def _get(name: str, summary: str, schema: str, tag: str, failing: tuple[int, ...] = WITH_KEY) -> Schema:
    responses = {"200": answer(summary, json_of(schema)), **errors(*failing)}
    return _operation(name, summary, tag, responses)


def _of_model(name: str, summary: str, schema: str, tag: str) -> Schema:
    responses = {"200": answer(summary, json_of(schema)), **errors(404, *WITH_KEY)}
    return _operation(name, summary, tag, responses, parameters=[_MODEL_ID])


def _contents(body: str, form: str) -> Schema:
    schema = "#/components/schemas/"
    return {JSON: {"schema": {"$ref": schema + body}}, _FORM: {"schema": {"$ref": schema + form}}}


def _order(name: str, body: str, form: str) -> Schema:
    editing = body.startswith("Edit")
    summary = "Make images from images and a prompt." if editing else "Make images from a prompt."
    images = {
        "anyOf": [{"$ref": "#/components/schemas/Images"}, {"$ref": "#/components/schemas/RoutePlan"}],
    }
    events = {
        "type": "string",
        "description": "With `stream`: events named like the `type` of their data, which is a PartialImageEvent, a "
        "CompletedImageEvent or an ErrorEvent. Lines that begin with a colon are heartbeats.",
    }
    done = answer(
        "The images, or with `dry_run` the route plan.", {JSON: {"schema": images}, _EVENTS: {"schema": events}}, *MADE
    )
    responses = {"200": done, **errors(*WITH_KEY, *WITH_BODY, *MAKING)}
    request = {"required": True, "content": _contents(body, form)}
    return _operation(name, summary, "images", responses, parameters=[_DRY_RUN], requestBody=request)


def _variations() -> Schema:
    gone = error("There are no variations (`route_not_found`).")
    return _operation(
        "createVariation",
        "Does not exist here, nor at OpenAI any more.",
        "images",
        {"404": gone, **errors(*WITH_KEY)},
        deprecated=True,
    )


def _hosted(*, bodiless: bool = False) -> Schema:
    kept = ("accept-ranges", "etag")
    picture = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
    parameters = [
        {"name": name, "in": "path", "required": True, "description": said, "schema": {"type": "string"}}
        for name, said in (("signature", "Makes the URL ours."), ("name", "Expiry and 160 random bits."))
    ]
    optional = {"in": "header", "required": False, "schema": {"type": "string"}}
    parameters += [{"name": name, **optional} for name in ("range", "if-none-match", "if-range")]
    responses = {
        "200": answer("The image.", None if bodiless else picture, *kept),
        "304": answer("The client has it already.", None, *kept),
        "404": error("There is no image under this URL (`image_not_found`)."),
        "410": error("The URL has ended, and the image is deleted (`image_expired`)."),
        "503": error("The image store does not answer (`image_store_unavailable`).", "retry-after"),
        **errors(500),
    }
    if not bodiless:
        responses["206"] = answer("Part of the image.", picture, *kept, "content-range")
        responses["416"] = error("None of its bytes are in the range.", "accept-ranges", "content-range")
    name = "headImageFile" if bodiless else "getImageFile"
    summary = "An image that was answered by URL; the URL itself is the permission."
    return _operation(name, summary, "images", dict(sorted(responses.items())), parameters=parameters)


def _route() -> Schema:
    summary = "The route plan for a generation that is not carried out."
    request = {"required": True, "content": _contents("GenerationBody", "GenerationForm")}
    responses = {"200": answer("The plan.", json_of("RoutePlan")), **errors(*WITH_KEY, *WITH_BODY)}
    return _operation("planRoute", summary, "routing", responses, requestBody=request)


def _ready() -> Schema:
    responses = {
        "200": answer("Ready.", json_of("Readiness")),
        **errors(500),
        "503": answer("Not ready, or about to stop.", json_of("Readiness")),
    }
    return _operation("isReady", "Whether there are offers to serve with.", "operating", responses)


def _metrics() -> Schema:
    page = {"text/plain": {"schema": {"type": "string"}}}
    summary = "Metrics for Prometheus. Asks for a key where the operator set one, which is not that of callers."
    return _operation("getMetrics", summary, "operating", {"200": answer("Metrics.", page), **errors(401, *ANY_TIME)})
