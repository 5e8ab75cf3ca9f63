"""The OpenAPI document as tests hold it against answers: closed, so that a member nobody described is a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openapi_schema_validator import OAS31Validator

ASKED = ("GenerationBody", "GenerationForm", "EditBody", "EditForm", "ImageReference")
"""Schemas of what is sent. They stay open: a field nobody knows is a warning and no fault."""


def closed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same document, in which no schema of an answer lets a member pass that it does not name."""
    components = document["components"]
    schemas = {name: schema if name in ASKED else _closed(schema) for name, schema in components["schemas"].items()}
    return {**document, "components": {**components, "schemas": schemas}}


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _closed(value) for key, value in schema.items()}
    if "properties" in schema and "type" in schema:
        inner.setdefault("additionalProperties", False)
    return inner


class Answers:
    """Holds bodies against the schemas of a document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = closed(document)["components"]

    def fault(self, name: str, body: Any) -> str | None:
        """What is wrong with this body as a ``name``; None when nothing is."""
        whole = {"$ref": f"#/components/schemas/{name}", "components": self._components}
        found = sorted(OAS31Validator(whole).iter_errors(body), key=str)
        return f"{found[0].json_path}: {found[0].message[:300]}" if found else None
