"""Asking: the raw requests the load generator sends, each the same work in the words of the server it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

KEY: Final = "sk-bench-0123456789abcdef"
"""What callers show; every gateway that can ask for a key is set to ask for this one."""
_TIER: Final = {"small": "512", "plain1k": "1K", "1k": "1K", "4k": "4K"}
_BOUNDARY: Final = "----bench-boundary-5f1c"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between servers: the model's name, further headers, and whether a tier is named."""

    model: str
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    tiers: bool = False


def prompt(size: str, delay_ms: int) -> str:
    """The upstream reads from the prompt what to answer and when."""
    return f"a red fox in the snow size={size} delay={delay_ms}"


def generation(dialect: Dialect, size: str, *, delay_ms: int = 0) -> bytes:
    """A request for one image of this size, whose vendor takes so many milliseconds."""
    document: dict[str, Any] = {"model": dialect.model, "prompt": prompt(size, delay_ms), "n": 1}
    if dialect.tiers:
        document |= {"resolution": _TIER[size], "aspect_ratio": "1:1"}
    body = json.dumps(document).encode()
    return _request("POST", "/v1/images/generations", body, "application/json", dialect)


def edit(dialect: Dialect, image: bytes) -> bytes:
    """A form with an input image; the answer is a small one."""
    fields = {"model": dialect.model, "prompt": prompt("small", 0)}
    if dialect.tiers:
        fields |= {"resolution": _TIER["small"], "aspect_ratio": "1:1"}
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts.append(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.png"\r\n'
        "Content-Type: image/png\r\n\r\n".encode()
    )
    parts += [image, f"\r\n--{_BOUNDARY}--\r\n".encode()]
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    return _request("POST", "/v1/images/edits", b"".join(parts), kind, dialect)


def probe(path: str = "/healthz") -> bytes:
    """A request that does no work."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def _request(method: str, path: str, body: bytes, kind: str, dialect: Dialect) -> bytes:
    headers = {
        "Host": "bench",
        "Authorization": f"Bearer {KEY}",
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        **dialect.headers,
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
