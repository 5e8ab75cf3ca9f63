"""fal's storage: ask for a place, put the file there; its link then stands for it in a model's input.

The order of calls, and the header, are those of fal's own client library: https://github.com/fal-ai/fal-js.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from types import MappingProxyType

from providers.fal import errors
from providers.fal.errors import VENDOR
from providers.job_dialect.asking import ok
from providers.job_dialect.reading import UnreadableError, image_type, link, object_in
from providers.job_dialect.references import deliver
from providers.spec.blob import Blob
from providers.spec.conversation import HttpCall, Raw, Reply, Step, Trust, json_body

REST_URL = "https://rest.fal.ai"
"""fal's second service: jobs live on another host."""

INLINE_CHARACTERS = 1_000_000
"""Characters of all data URLs of a request together, 750 kB of images. fal advises data URLs for small files only and
states no limit; below this an upload's two further calls take longer than the bytes do. An engineering choice."""

LIFETIME_S = 3600
"""Seconds an uploaded file is kept. Anybody who has its link can read it, so it goes as soon as no job can need it: a
request lasts minutes (policy.toml: request_deadline_s), and an hour covers any setting that is reasonable."""

INITIATE_HEADERS: Mapping[str, str] = MappingProxyType(
    {"x-fal-object-lifecycle": json.dumps({"expiration_duration_seconds": LIFETIME_S})}
)


def uploaded(image: Blob, name: str, storage: str, prompt: str) -> Generator[Step, Reply | None, str]:
    """Upload an image; its link. ``storage`` is the base URL of fal's second service, empty when it lies under the
    endpoint's own. Raises ProviderError with spend NONE.

    The bytes go where the reply says, so without the key unless that is one of fal's configured origins.
    """
    media_type = image_type(image)
    reply = yield from deliver(_initiate_call(storage, media_type, name), VENDOR)
    if not ok(reply):
        raise errors.upload_failed(reply, prompt)
    try:
        place = object_in(reply)
        target, file_url = link(place.get("upload_url")), link(place.get("file_url"))
    except UnreadableError as unreadable:
        raise errors.upload_failed(reply, prompt) from unreadable
    put = HttpCall("PUT", target, Trust.RESPONSE, headers={"content-type": media_type}, body=(Raw(image),))
    reply = yield from deliver(put, VENDOR)
    if not ok(reply):
        raise errors.upload_failed(reply, prompt, keyed=False)
    return file_url


def _initiate_call(storage: str, media_type: str, name: str) -> HttpCall:
    return HttpCall(
        "POST",
        f"{storage}/storage/upload/initiate?storage_type=fal-cdn-v3",
        headers=INITIATE_HEADERS,
        body=json_body({"content_type": media_type, "file_name": name}),
    )
