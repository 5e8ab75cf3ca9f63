"""Keys: who may call what, decided on the path the ASGI server parsed and on nothing else the caller says."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from enum import StrEnum
from urllib.parse import urlsplit

from app.hosting.signing import PREFIX as HOSTED
from app.settings import is_loopback


class Access(StrEnum):
    """What a path asks of its caller. Every path not listed asks for a key."""

    OPEN = "open"
    METRICS = "metrics"
    KEY = "key"


_ACCESS = {"/healthz": Access.OPEN, "/readyz": Access.OPEN, "/metrics": Access.METRICS}


def access_to(path: str) -> Access:
    """What a path asks for. Only the exact spelling is open: ``//healthz`` and ``/healthz/`` ask for a key.

    Everything below the hosted images is open, too: there the signature in the path is asked for.
    """
    return Access.OPEN if path.startswith(HOSTED) else _ACCESS.get(path, Access.KEY)


class Keys:
    """A set of keys, held as digests under a key of this process. Comparison takes the same time for every guess."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._pepper = secrets.token_bytes(32)
        self._digests = tuple(self._digest(key) for key in keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def admit(self, presented: str | None) -> bool:
        """Whether the presented key is one of these. Looks at every key, whichever matches."""
        digest = self._digest(presented or "")
        found = 0
        for known in self._digests:
            found |= hmac.compare_digest(known, digest)
        return bool(found) and bool(presented)

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=self._pepper).digest()


def presented_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key a request carries: ``Authorization: Bearer ...``, else ``api-key`` or ``x-api-key``."""
    found = {name.lower(): value for name, value in headers}
    scheme, _, credential = found.get(b"authorization", b"").strip().partition(b" ")
    if scheme.lower() == b"bearer" and credential.strip():
        return credential.strip().decode("utf-8", "surrogateescape")
    for name in (b"api-key", b"x-api-key"):
        if value := found.get(name, b"").strip():
            return value.decode("utf-8", "surrogateescape")
    return None


def from_this_machine(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether Host and Origin name this machine. Asked only without keys, when any web page the operator visits could
    otherwise spend through the browser (also by rebinding a name to 127.0.0.1)."""
    found = {name.lower(): value.decode("latin-1") for name, value in headers}
    host, origin = found.get(b"host", "localhost"), found.get(b"origin")
    return is_loopback(_host("//" + host)) and (origin is None or is_loopback(_host(origin)))


def _host(url: str) -> str:
    """The host of ``scheme://host:port`` or ``//host:port``; empty for anything else."""
    try:
        parts = urlsplit(url)
        plain = f"{parts.scheme}{':' if parts.scheme else ''}//{parts.netloc}" == url and "@" not in parts.netloc
        return parts.hostname or "" if plain else ""
    except ValueError:
        return ""
