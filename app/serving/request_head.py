"""Request heads: what is not accepted of one, though the parser can read it, and what is passed over. Pure; the wire
says it to the client.

Each rule closes a way in which two servers in a row could read one request differently (RFC 9112, section 11.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.doors.answer_headers import EVERY_ANSWER
from app.doors.openai_images.errors import INVALID_REQUEST, ApiError

HEAD_LINES = 128
"""Header lines of one request. Clients send some twenty, proxies add a dozen; Apache stops at 100."""


TARGET_BYTES = 8192
"""Of a path with its query, as nginx and Apache have it. Undoing escapes takes time, and comes before any key."""


class Refusal(NamedTuple):
    """Why a request is not taken: status, a sentence for the caller, and the code."""

    status: int
    message: str
    code: str


_OF_AN_UPGRADE = frozenset({b"upgrade", b"connection", b"http2-settings"})
UNREADABLE = Refusal(400, "This is no HTTP request that can be read.", "invalid_request")
TOO_MANY_LINES = Refusal(431, f"The request's header has more than {HEAD_LINES} lines.", "header_too_large")
TARGET_TOO_LONG = Refusal(414, f"The request's path is longer than {TARGET_BYTES:,} bytes.", "path_too_long")
_VERSION = Refusal(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.", "version_not_supported")
_HOST = Refusal(400, "A request needs the header 'Host' exactly once.", "invalid_request")
_CODING = Refusal(
    501, "The only Transfer-Encoding there may be is 'chunked', once, in HTTP/1.1.", "transfer_encoding_not_supported"
)
_LENGTH = Refusal(
    400, "A request has Content-Length once, as a number, or Transfer-Encoding, never both.", "invalid_request"
)


def refusal(version: str, headers: Sequence[tuple[bytes, bytes]]) -> Refusal | None:
    """Why a head is not taken; None when it is. Names are in lower case."""
    if version not in ("1.1", "1.0"):
        return _VERSION
    hosts: list[bytes] = []
    codings: list[bytes] = []
    lengths: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return _HOST
    if codings and (version == "1.0" or len(codings) > 1 or codings[0].strip(b" \t").lower() != b"chunked"):
        return _CODING
    if lengths and (codings or len(lengths) > 1 or not lengths[0].strip(b" \t").isdigit()):
        return _LENGTH
    return None


def answer(refused: Refusal, request_id: str) -> bytes:
    """All that is said to whoever sent it, before the connection is closed."""
    body = ApiError(refused.status, refused.message, type=INVALID_REQUEST, code=refused.code).body()
    lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *EVERY_ANSWER]
    lines += [(b"x-request-id", request_id.encode()), (b"connection", b"close")]
    head = b"".join(b"%b: %b\r\n" % line for line in lines)
    return STATUS_LINE[refused.status] + head + b"\r\n" + body


def without_offer(method: bytes, target: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The head of a request that offers to speak another protocol, as if it did not."""
    lines = [b"%b %b HTTP/%b" % (method, target, version.encode())]
    lines += [b"%b: %b" % header for header in headers if header[0] not in _OF_AN_UPGRADE]
    if any(name == b"connection" and b"close" in value.lower() for name, value in headers):
        lines.append(b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"
