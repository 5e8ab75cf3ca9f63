"""What a caller reaches this gateway by, for URLs that lead back here."""

from __future__ import annotations

import re

from starlette.requests import Request

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def origin_of(request: Request) -> str:
    """``http://host:port`` as the request was sent to, with the prefix a proxy says it took away; no slash at the end.

    A Host header that is none gives the address the server listens on: a caller's own text stands in a URL only where
    it is a name and a port.
    """
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        address, port = request.scope.get("server") or ("127.0.0.1", None)
        host = f"[{address}]" if ":" in address else address
        host += f":{port}" if port else ""
    return f"{request.scope['scheme']}://{host}{request.scope.get('root_path', '').rstrip('/')}"
