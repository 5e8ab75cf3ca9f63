"""GET and HEAD of a kept image, with ranges and validators as browsers, download tools and caches use them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import cast

from fastapi import Request
from fastapi.responses import Response

from app.accounts.access import Access
from app.doors.hosted.ranges import UnsatisfiableError, wanted
from app.doors.hosted.streamed import StreamedResponse
from app.doors.openai_images.errors import INVALID_REQUEST, SERVER_ERROR, ApiError
from app.doors.reply import error_response
from app.doors.route_table import RouteTable
from app.hosting.hosting import Hosted, Hosting, HostingError, ImageExpiredError, ImageUnknownError
from app.hosting.signing import PREFIX

_ANYWHERE = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
"""A web page of any origin may show and read what its user has the URL of; no cookie or key is involved."""
RETRY_AFTER_S = 5
"""Seconds after which to try again when the store does not answer."""

router = RouteTable()


async def image(request: Request) -> Response:
    """The image, part of it, or why not. Whatever stands below the prefix comes here; nothing of it names a file."""
    try:
        signature, _, name = request.path_params["rest"].partition("/")
        hosting = cast("Hosting", request.app.state.hosting)
        return await _answer(request, hosting, await hosting.open(signature, name))
    except ImageUnknownError:
        return _refused(_unknown())
    except ImageExpiredError as ended:
        return _refused(_expired(ended.expired))
    except HostingError as failed:
        return _refused(_unavailable(str(failed)))


# Open, for the signature in the path is what is asked for.
router.add(f"{PREFIX}{{rest:path}}", image, methods=["GET", "HEAD"], access=Access.OPEN)


async def _answer(request: Request, hosting: Hosting, found: Hosted) -> Response:
    headers = _headers(found)
    if _known(request, found.name.etag):
        return Response(status_code=304, headers=headers)
    whole = {**headers, "content-type": found.name.media_type, "content-disposition": found.name.disposition}
    if request.method == "HEAD":
        return Response(headers={**whole, "content-length": str(found.size)})
    try:
        part = wanted(_range(request, found.name.etag), found.size)
    except UnsatisfiableError:
        return _refused(_unsatisfiable(found.size))
    start, end = part or (0, found.size)
    sent = {**whole, "content-length": str(end - start)}
    if part is not None:
        sent["content-range"] = f"bytes {start}-{end - 1}/{found.size}"
    pieces = hosting.read(found, start, end)
    # The first piece before the first header: until then a failure can still be told.
    first = await anext(pieces, b"")
    return StreamedResponse(_all(first, pieces), status=200 if part is None else 206, headers=sent)


async def _all(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


def _headers(found: Hosted) -> dict[str, str]:
    return {
        **_ANYWHERE,
        "access-control-expose-headers": "accept-ranges, content-length, content-range, etag",
        "accept-ranges": "bytes",
        # Public: the URL itself is the permission, and no cache keeps the image longer than it works.
        "cache-control": f"public, max-age={found.left_s}, immutable",
        # Opened on its own, an image is no page: nothing in it may run, load or be taken for another type.
        "content-security-policy": "default-src 'none'; sandbox",
        "etag": found.name.etag,
        "x-content-type-options": "nosniff",
    }


def _known(request: Request, etag: str) -> bool:
    """Whether the client has the image already. Weak comparison, as the standard asks for here."""
    tags = [tag.strip().removeprefix("W/") for tag in ",".join(request.headers.getlist("if-none-match")).split(",")]
    return etag in tags or "*" in tags


def _range(request: Request, etag: str) -> str | None:
    """The Range header, unless it holds only for another image than this."""
    header = ",".join(request.headers.getlist("range"))
    return header if header and request.headers.get("if-range", etag) == etag else None


def _refused(error: ApiError) -> Response:
    response = error_response(error)
    response.headers.update(_ANYWHERE)
    return response


def _unknown() -> ApiError:
    return ApiError(
        404,
        "There is no image under this URL. Use it exactly as the answer gave it.",
        type=INVALID_REQUEST,
        code="image_not_found",
    )


def _expired(at: int) -> ApiError:
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return ApiError(
        410,
        f"This URL worked until {when}, and the image is deleted. Make it again, or ask for b64_json to keep it.",
        type=INVALID_REQUEST,
        code="image_expired",
    )


def _unsatisfiable(size: int) -> ApiError:
    return ApiError(
        416,
        f"The image has {size:,} bytes, none of them in the range asked for.",
        type=INVALID_REQUEST,
        code="range_not_satisfiable",
        headers={"content-range": f"bytes */{size}", "accept-ranges": "bytes"},
    )


def _unavailable(message: str) -> ApiError:
    return ApiError(
        503,
        message,
        type=SERVER_ERROR,
        code="image_store_unavailable",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )
