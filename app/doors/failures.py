"""What the web framework would answer in its own shape, answered in the envelope."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.doors.openai_images.errors import ApiError, internal_error, method_not_allowed, route_not_found
from app.doors.reply import error_response


def answer_in_the_envelope(app: FastAPI) -> None:
    """Register handlers for everything the framework or a route may raise."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(Exception, _bug)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return error_response(internal_error())
    # Not request.url, into which the Host header would go.
    method, path = request.method, request.scope["path"]
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "").split(",")
        return error_response(method_not_allowed(method, path, [name.strip() for name in allowed if name.strip()]))
    if error.status_code == 404:
        return error_response(route_not_found(method, path))
    return error_response(
        ApiError(error.status_code, "The request cannot be read.", type="invalid_request_error", code="invalid_request")
    )


async def _validation_error(request: Request, error: Exception) -> Response:
    del request, error
    return error_response(
        ApiError(400, "The request's path or query cannot be read.", type="invalid_request_error", code="invalid_value")
    )


async def _api_error(request: Request, error: Exception) -> Response:
    del request
    return error_response(error if isinstance(error, ApiError) else internal_error())


async def _bug(request: Request, error: Exception) -> Response:
    del request, error  # the edge logs it
    return error_response(internal_error())
