"""Input images too large to go inline: handed to Google's Files API first, and named by URI.

Protocol: https://ai.google.dev/gemini-api/docs/files, a start that answers where to, and one upload that finishes. A
file costs nothing and is deleted by Google after 48 hours; nobody else can read it. Vertex AI has no such service.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import urlsplit

from providers.google_dialect.errors import error_object, failure, stated_error
from providers.google_dialect.exchange import answered
from providers.google_dialect.shapes import an_object, text
from providers.google_dialect.wire import stated_type
from providers.spec.blob import Blob
from providers.spec.conversation import HttpCall, Pause, Raw, Reply, Step, Trust, json_body
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.excerpt import safe_excerpt
from providers.spec.request import ImageRequest

INLINE_BASE64 = 15_000_000
"""Characters of base64 that all inline images of a request may have together. Google's guide long gave 20 MB for the
whole request (https://ai.google.dev/gemini-api/docs/image-understanding); it is said to have been raised early in 2026,
to what we could not read. Below 20 MB by what a long prompt takes."""

POLLS = 5
POLL_SECONDS = 1.0
"""How often, and how far apart, a file that is still processed is asked for. Images are usable at once; only video was
documented to wait."""

_NAME = re.compile(r"files/[a-z0-9-]{1,64}")

_Steps = Generator[Step, Reply | None, Mapping[int, str]]


def uploaded(request: ImageRequest, vendor: str, *, version: str, base_url: str) -> _Steps:
    """URIs of the input images that cannot go inline, by their place; the largest go first, until the rest fits.

    Nothing is bought by it, so every failure has spend NONE.
    """
    uris: dict[int, str] = {}
    if not request.images:
        return uris
    left = {place: (blob.length + 2) // 3 * 4 for place, blob in enumerate(request.images)}
    while sum(left.values()) > INLINE_BASE64:
        place = max(left, key=lambda each: left[each])
        del left[place]
        try:
            uris[place] = yield from _upload(request, place, vendor, version, base_url)
        except ProviderError as failed:
            failed.spend = Spend.NONE
            raise
    return uris


def _upload(
    request: ImageRequest, place: int, vendor: str, version: str, base_url: str
) -> Generator[Step, Reply | None, str]:
    blob = request.images[place]
    begun = yield from answered(_start(blob, place, version), vendor)
    _check(begun, vendor, request)
    target = begun.headers.get("x-goog-upload-url", "")
    if not target:
        raise failure(Fault.BAD_REPLY, vendor, detail="the start of an upload was answered without an address")
    finished = yield from answered(_finish(blob, target), vendor)
    file = an_object(_document(finished, vendor, request).get("file"))
    for _ in range(POLLS):
        # A state nobody knows counts as ready: the call that uses the file will tell.
        if text(file.get("state")) != "PROCESSING":
            break
        name = text(file.get("name"))
        if not _NAME.fullmatch(name):
            raise failure(Fault.BAD_REPLY, vendor, detail="an uploaded file has no usable name")
        yield Pause(POLL_SECONDS)
        asked = yield from answered(HttpCall("GET", f"/{version}/{name}"), vendor)
        file = _document(asked, vendor, request)
    return _uri(file, vendor, base_url)


def _start(blob: Blob, place: int, version: str) -> HttpCall:
    headers = {
        "content-type": "application/json",
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": str(blob.length),
        "x-goog-upload-header-content-type": stated_type(blob),
    }
    body = json_body({"file": {"display_name": f"image-{place + 1}"}})
    return HttpCall("POST", f"/upload/{version}/files", headers=headers, body=body)


def _finish(blob: Blob, target: str) -> HttpCall:
    headers = {
        "content-type": stated_type(blob),
        "x-goog-upload-command": "upload, finalize",
        "x-goog-upload-offset": "0",
    }
    return HttpCall("POST", target, Trust.RESPONSE, headers, (Raw(blob),))


def _uri(file: Mapping[str, Any], vendor: str, base_url: str) -> str:
    state, uri = text(file.get("state")), text(file.get("uri"))
    if state == "FAILED":
        raise failure(Fault.UNSUPPORTED, vendor, parameter="image", detail="the uploaded file could not be processed")
    if state == "PROCESSING":
        raise failure(Fault.OVERLOADED, vendor, detail=f"an uploaded file was not ready after {POLLS} looks")
    if not _same_origin(uri, base_url):
        raise failure(Fault.BAD_REPLY, vendor, detail="an uploaded file has no address on the vendor's own origin")
    return uri


def _same_origin(uri: str, base_url: str) -> bool:
    try:
        given, own = urlsplit(uri), urlsplit(base_url)
        places = [(each.scheme, each.hostname, each.port, each.username) for each in (given, own)]
    except ValueError:
        return False
    return bool(given.path) and places[0] == places[1]


def _document(reply: Reply, vendor: str, request: ImageRequest) -> Mapping[str, Any]:
    _check(reply, vendor, request)
    try:
        document = reply.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise failure(Fault.BAD_REPLY, vendor, detail=safe_excerpt(reply, request.prompt))
    return document


def _check(reply: Reply, vendor: str, request: ImageRequest) -> None:
    """Raises ProviderError for an error. What is refused here is the image, and what is not found the service, not the
    model: other requests to this offer go on."""
    if 200 <= reply.status <= 299 and not error_object(reply):
        return
    failed = stated_error(reply, vendor, request)
    if failed.fault in {Fault.UNSUPPORTED, Fault.MODEL_GONE}:
        raise failure(Fault.UNSUPPORTED, vendor, parameter="image", detail=failed.detail)
    raise failed
