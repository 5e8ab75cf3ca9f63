"""Errors as this door words them: OpenAI's envelope, with all four keys every time. Knows no web framework."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

INVALID_REQUEST = "invalid_request_error"
SERVER_ERROR = "server_error"

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_SHOWN_CHARS = 80


class ApiError(Exception):
    """An answer other than success. ``message`` is ours and goes to the caller word for word.

    ``headers`` are added to the response. ``metadata`` is what the gateway did until it gave up (see
    ``answer.metadata_of``); it stands beside ``error`` in the body, and is left out when there is nothing to tell.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = headers
        self.metadata = metadata

    def body(self) -> bytes:
        """The response body, UTF-8 JSON."""
        return envelope(self.message, self.type, self.param, self.code, self.metadata)


class ParameterError(ApiError):
    """The caller's fault in one parameter: always a 400 that names it.

    ``code`` is one of ``invalid_value``, ``unsupported_value``, ``missing_required_parameter``, ``invalid_json``.
    ``param`` is spelt as the caller spelt it; ``body`` when the fault is in the document as a whole.
    """

    def __init__(self, param: str, message: str, code: str = "invalid_value") -> None:
        named = shown(param)
        super().__init__(400, message, type=INVALID_REQUEST, param=named, code=code)
        self.param: str = named
        self.code: str = code


def envelope(
    message: str,
    type: str,
    param: str | None = None,
    code: str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> bytes:
    """The error body. The official clients read ``message``, ``type``, ``param`` and ``code``, so none is left out."""
    document: dict[str, object] = {"error": {"message": message, "type": type, "param": param, "code": code}}
    if metadata is not None:
        document["metadata"] = metadata
    # ASCII escapes: a caller's lone surrogate, echoed in a message, must not make the error itself unsendable.
    return json.dumps(document).encode("ascii")


def shown(value: object) -> str:
    """A caller's value, short enough and printable enough to be repeated in a message."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    printable = "".join(char if char.isprintable() else "�" for char in text[: _SHOWN_CHARS + 1])
    return f"{printable[:_SHOWN_CHARS]}…" if len(printable) > _SHOWN_CHARS else printable


def key_missing() -> ApiError:
    """401: no key came with the request."""
    return _unauthorised("No API key was given. Send it as 'Authorization: Bearer <key>'.")


def key_wrong() -> ApiError:
    """401: the key is none of ours. Never repeats the key."""
    return _unauthorised("The API key is not one this gateway knows.")


def key_ambiguous(header: str) -> ApiError:
    """401: a header that decides who is calling came more than once."""
    return _unauthorised(f"The header '{header}' came more than once, so it is not clear who is calling. Send it once.")


def _unauthorised(message: str) -> ApiError:
    return ApiError(
        401,
        message,
        type=INVALID_REQUEST,
        code="invalid_api_key",
        headers={"www-authenticate": 'Bearer realm="gateway"'},
    )


def model_not_found(message: str) -> ApiError:
    """404: no model of this name, or the pinned provider does not sell it. ``message`` says which and what there is."""
    return ApiError(404, message, type=INVALID_REQUEST, param="model", code="model_not_found")


def route_not_found(method: str, path: str) -> ApiError:
    """404: nothing is served under this path."""
    return ApiError(
        404, f"Nothing is served at {shown(method)} {shown(path)}.", type=INVALID_REQUEST, code="route_not_found"
    )


def method_not_allowed(method: str, path: str, allowed: Iterable[str]) -> ApiError:
    """405, with the ``Allow`` header that HTTP asks for (RFC 9110, section 15.5.6)."""
    allow = ", ".join(sorted(allowed))
    return ApiError(
        405,
        f"{shown(path)} does not answer {shown(method)}; it answers {allow}.",
        type=INVALID_REQUEST,
        code="method_not_allowed",
        headers={"allow": allow},
    )


def body_too_large(limit: int) -> ApiError:
    """413: the body has more than ``limit`` bytes."""
    return ApiError(
        413, f"The request body is larger than {limit:,} bytes.", type=INVALID_REQUEST, code="request_too_large"
    )


def media_type_unsupported(got: str, wanted: str) -> ApiError:
    """415: the body is not of the media type this route reads."""
    said = f"not {shown(got)}" if got else "and the request names no content type"
    return ApiError(415, f"This route reads {wanted}, {said}.", type=INVALID_REQUEST, code="unsupported_media_type")


def internal_error() -> ApiError:
    """500: a fault of the gateway itself. Says nothing about the cause; the log does, under the request id."""
    return ApiError(
        500,
        "The gateway failed to handle this request. Its log has the cause under the request id of this answer.",
        type=SERVER_ERROR,
        code="internal_error",
    )


def shutting_down() -> ApiError:
    """503: the gateway stops and this request with it. What it bought or may have bought is not known, so no retry."""
    return ApiError(
        503,
        "The gateway is shutting down and stopped this request; a vendor may have been paid for it.",
        type=SERVER_ERROR,
        code="shutting_down",
        headers={"x-should-retry": "false"},
    )


def not_taken_any_more() -> ApiError:
    """503: the gateway finishes what it has and takes nothing new. Nothing was bought: a retry goes elsewhere."""
    return ApiError(
        503,
        "The gateway is shutting down and takes no new requests; nothing was done for this one, so send it again.",
        type=SERVER_ERROR,
        code="shutting_down",
        headers={"retry-after": "1", "x-should-retry": "true", "connection": "close"},
    )
