"""Bodies: what a caller sent, JSON or a form, as one document, with images in it as blobs.

Everything is counted while it arrives, whatever Content-Length says. What one body may take of the heap: as a form,
what ``multipart_body`` states, about 25 MiB; as JSON, a few times ``text_bytes`` (4 MiB). Images lie in mapped files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from app.doors.openai_images.arrival import Arrival
from app.doors.openai_images.body_limits import BodyLimits
from app.doors.openai_images.errors import INVALID_REQUEST, ApiError, media_type_unsupported, shown
from app.doors.openai_images.fields import parse_object
from app.doors.openai_images.form import nested
from app.doors.openai_images.multipart_body import MultipartBody, boundary_of
from providers.blobs import Base64Blob, Bytes, TextTooLargeError, cut
from providers.spec.blob import Blob
from providers.spec.conversation import blob_or_object
from providers.spec.unguarded import unguarded
from providers.spool import Spool, hold
from providers.workers import Workers

READS = "application/json or multipart/form-data"
LIMITS = BodyLimits()
_THREAD_BYTES = 256 * 1024
"""JSON bodies above this have their images cut out and are parsed in a worker thread; below, it takes about a
millisecond and what is long in them stays text."""
_AT_ONCE = 64 * 1024
"""JSON bodies up to this are parsed as they came where they came in one piece."""
_BLANKS = b" \t\r\n\xef\xbb\xbf"
_LONGEST_TEXT = 1024 * 1024
_TEXT_NAMES = ("prompt", "negative_prompt", "negativePrompt", "system_prompt", "systemPrompt")


@unguarded
@dataclass(frozen=True, slots=True)
class Body:
    """What a caller sent."""

    document: Mapping[str, Any]
    """JSON values. An uploaded file stands in it as a Blob, and so does long base64 text, a data URL or not."""
    multipart: bool
    """It came as a form: numbers and flags are text."""


async def read(request: Request, workers: Workers, spool_dir: Path | None, limits: BodyLimits = LIMITS) -> Body:
    """The body of a request. ``spool_dir`` is where large ones lie; None: the system's temporary folder.

    Raises ApiError for what is not readable, too large, too slow or of another kind, after what the client still sends
    was drained; ClientDisconnect when it leaves; SpoolFailedError when our disk fails.
    """
    arrival = Arrival(request, limits)
    try:
        if encoding := arrival.headers.get(b"content-encoding"):
            _refuse_compressed(encoding.decode("latin-1"))
        content_type = arrival.headers.get(b"content-type", b"").decode("latin-1")
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type == "multipart/form-data":
            return await _form(arrival, boundary_of(content_type), spool_dir, limits)
        if media_type.startswith("multipart/"):
            raise media_type_unsupported(media_type, READS)
        return await _json(arrival, media_type, workers, spool_dir, limits)
    except ApiError as refused:
        if not await arrival.drained():
            refused.headers = {**refused.headers, "connection": "close"}
        raise


def _refuse_compressed(encoding: str) -> None:
    if encoding.strip().lower() not in ("", "identity"):
        raise ApiError(
            415,
            f"The body has the Content-Encoding {shown(encoding)}, which is not read: send it uncompressed.",
            type=INVALID_REQUEST,
            code="unsupported_media_type",
            headers={"accept-encoding": "identity"},  # RFC 9110, section 15.5.16
        )


async def _form(arrival: Arrival, boundary: str, spool_dir: Path | None, limits: BodyLimits) -> Body:
    form = MultipartBody(boundary, spool_dir, limits)
    try:
        arrival.begin(limits.total_bytes)
        while piece := await arrival.piece():
            form.feed(piece)
        return Body(nested(form.finish()), multipart=True)
    finally:
        form.close()


async def _json(
    arrival: Arrival, media_type: str, workers: Workers, spool_dir: Path | None, limits: BodyLimits
) -> Body:
    # curl sends JSON as a form when no type is given; what begins like JSON is read as JSON.
    settled = not media_type or media_type.endswith("json")
    arrival.begin(limits.json_bytes)
    piece = await arrival.piece()
    if settled and arrival.whole and len(piece) <= _AT_ONCE:  # as nearly every body without pictures
        hold(len(piece))
        return Body(parse_object(piece), multipart=False)
    spool = Spool(spool_dir, limit=limits.json_bytes)
    try:
        while piece:
            if not settled and (start := piece.lstrip(_BLANKS)):
                if not start.startswith(b"{"):
                    raise media_type_unsupported(media_type, READS)
                settled = True
            spool.write(piece)
            piece = await arrival.piece()
        if not settled:
            raise media_type_unsupported(media_type, READS)
        body = spool.finish()
    finally:
        spool.close()
    if isinstance(body, bytes) and len(body) <= _THREAD_BYTES:
        return Body(parse_object(body), multipart=False)
    return Body(await workers.run(_document, body, spool_dir, limits.text_bytes), multipart=False)


def _document(body: Bytes, spool_dir: Path | None, text_limit: int) -> dict[str, Any]:
    def gather(pieces: Iterable[bytes | memoryview]) -> Bytes:
        text = Spool(spool_dir, limit=len(body))
        try:
            for piece in pieces:
                text.write(piece)
            return text.finish()
        finally:
            text.close()

    try:
        skeleton, blobs = cut(body, text_limit=text_limit, gather=gather)
    except TextTooLargeError:
        raise ApiError(
            413,
            f"The request body, without images, is larger than {text_limit:,} bytes. Images in it must be base64 "
            "without line breaks, or data URLs of that.",
            type=INVALID_REQUEST,
            code="request_too_large",
        ) from None
    document = parse_object(skeleton)
    if blobs:
        document = {key: _filled(value, blobs) for key, value in document.items()}
        for name in _TEXT_NAMES:
            if name in document:
                document[name] = _text_again(document[name])
    return document


def _filled(value: Any, blobs: tuple[Blob, ...]) -> Any:
    """The value with its blobs put in. No deeper than ``parse_object`` lets a document be."""
    if isinstance(value, list):
        return [_filled(item, blobs) for item in value]
    if isinstance(value, dict):
        whole = blob_or_object(value, blobs)
        return {key: _filled(item, blobs) for key, item in value.items()} if whole is value else whole
    return value


def _text_again(value: Any) -> Any:
    """A prompt of nothing but letters was taken for base64. One that is longer than any prompt stays a blob."""
    if isinstance(value, Base64Blob) and not value.media_type and len(value.text) <= _LONGEST_TEXT:
        return bytes(value.text).decode("ascii", "replace")
    return value
