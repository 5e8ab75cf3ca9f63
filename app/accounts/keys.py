"""Keys: whether a caller has one, and whether a request comes from this machine."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from app.settings import is_loopback


class Keys:
    """A set of keys, held as digests under a key of this process. Comparison takes the same time for every guess."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keyed = hashlib.blake2b(key=secrets.token_bytes(32))
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
        digest = self._keyed.copy()
        digest.update(key.encode("utf-8", "surrogatepass"))
        return digest.digest()


class AmbiguousHeaderError(Exception):
    """A header that decides who is calling came more than once; what stands before the gateway may have read another
    of them than the gateway would. ``name`` is its name in lower case."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


_DECISIVE = frozenset({b"authorization", b"api-key", b"x-api-key", b"host", b"origin"})


def _found(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The decisive headers by name. Raises AmbiguousHeaderError."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in _DECISIVE:
            if lower in found:
                raise AmbiguousHeaderError(lower.decode("ascii"))
            found[lower] = value
    return found


def presented_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key a request carries: ``Authorization: Bearer ...``, else ``api-key`` or ``x-api-key``.

    Raises AmbiguousHeaderError.
    """
    found = _found(headers)
    scheme, _, credential = found.get(b"authorization", b"").strip().partition(b" ")
    if scheme.lower() == b"bearer" and (credential := credential.strip()):
        return credential.decode("utf-8", "surrogateescape")
    for name in (b"api-key", b"x-api-key"):
        if value := found.get(name, b"").strip():
            return value.decode("utf-8", "surrogateescape")
    return None


def from_this_machine(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether Host and Origin name this machine. Asked only without keys, when any web page the operator visits could
    otherwise spend through the browser (also by rebinding a name to 127.0.0.1). Raises AmbiguousHeaderError."""
    found = {name: value.decode("latin-1") for name, value in _found(headers).items()}
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
