"""The error envelope: all four keys always, and nothing of the caller's that would break it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.doors.openai_images import errors
from app.doors.openai_images.errors import ApiError, ParameterError, envelope, shown


def error_of(body: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(body)["error"]
    return error


EVERY = [
    (errors.key_missing(), 401, "invalid_api_key"),
    (errors.key_wrong(), 401, "invalid_api_key"),
    (errors.model_not_found("There is no model x."), 404, "model_not_found"),
    (errors.route_not_found("GET", "/nowhere"), 404, "route_not_found"),
    (errors.method_not_allowed("PUT", "/v1/models", ["HEAD", "GET"]), 405, "method_not_allowed"),
    (errors.body_too_large(1_000_000), 413, "request_too_large"),
    (errors.media_type_unsupported("text/csv", "application/json"), 415, "unsupported_media_type"),
    (errors.media_type_unsupported("", "application/json"), 415, "unsupported_media_type"),
    (errors.internal_error(), 500, "internal_error"),
    (ParameterError("n", "n must be 1."), 400, "invalid_value"),
]


@pytest.mark.parametrize(("error", "status", "code"), EVERY, ids=lambda value: getattr(value, "code", None))
def test_every_error_has_its_status_and_all_four_keys(error: ApiError, status: int, code: str) -> None:
    told = error_of(error.body())
    assert error.status == status
    assert set(told) == {"message", "type", "param", "code"}
    assert told["code"] == code
    assert told["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert told["message"].endswith(".")


def test_a_405_names_the_methods_that_are_answered() -> None:
    assert errors.method_not_allowed("PUT", "/v1/models", ["HEAD", "GET"]).headers["allow"] == "GET, HEAD"


def test_an_unknown_model_is_the_model_parameters_fault() -> None:
    assert errors.model_not_found("There is no model x.").param == "model"


def test_metadata_stands_beside_the_error_only_when_there_is_some() -> None:
    assert "metadata" not in json.loads(envelope("m", "t"))
    assert json.loads(envelope("m", "t", metadata={"attempts": []}))["metadata"] == {"attempts": []}
    carrying = ApiError(502, "m", type="server_error", metadata={"model": "x"})
    assert json.loads(carrying.body())["metadata"] == {"model": "x"}


def test_an_echoed_lone_surrogate_does_not_make_the_error_unsendable() -> None:
    assert error_of(envelope("half \ud800", "t"))["message"] == "half \ud800"


@pytest.mark.parametrize("value", ["x" * 10_000, ["y" * 10_000], {"z": "z" * 10_000}, "line\nbreak\x00\ud800"])
def test_a_repeated_value_is_short_and_printable(value: object) -> None:
    text = shown(value)
    assert len(text) <= 81
    assert text.isprintable()
