"""Broken: what went wrong with a call that brought no usable reply."""

from __future__ import annotations

import aiohttp

from providers.spec.blob import BlobDamagedError
from providers.spec.conversation import Unanswered
from providers.spool import BodyTooLargeError


def unanswered_by(broken: Exception) -> Unanswered:
    """What went wrong, in our words. Order matters: some of the library's errors are several of these."""
    if isinstance(broken, BodyTooLargeError):
        return Unanswered("the reply was too large", sent=True)
    if isinstance(broken, aiohttp.ConnectionTimeoutError):
        return Unanswered("no connection in time", sent=False)
    if isinstance(broken, aiohttp.ClientSSLError):
        return Unanswered("no connection: the certificate, or TLS itself, cannot be trusted", sent=False)
    if isinstance(broken, aiohttp.ClientConnectorError):
        return Unanswered("no connection", sent=False)
    if isinstance(broken, aiohttp.InvalidURL):
        return Unanswered("not a usable URL", sent=False)
    if isinstance(broken, TimeoutError):
        return Unanswered("silence for too long", sent=True)
    if isinstance(broken.__cause__, BlobDamagedError):
        return Unanswered("an image of the request cannot be read", sent=False)
    return Unanswered("the connection broke", sent=True)
