"""Headers that every answer has, whoever makes it: a route, the edge, or the protocol that could not read a request."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

EVERY_ANSWER = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    # An answer is data. Opened as a page it may load nothing, run nothing, and stand in nobody's frame.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""Where a route says otherwise, as hosted images do, its own header stands. Strict-Transport-Security is for whoever
ends TLS, which the gateway does not."""
_NAMES = frozenset(name for name, _ in EVERY_ANSWER)


def beside(headers: Collection[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """Those of every answer that are to stand beside an answer's own."""
    for name, _ in headers:
        if name.lower() in _NAMES:
            own = {name.lower() for name, _ in headers}
            return [header for header in EVERY_ANSWER if header[0] not in own]
    return EVERY_ANSWER


def drawn_request_id() -> str:
    """A new request id, for ``x-request-id`` and the log."""
    return f"req_{os.urandom(16).hex()}"
