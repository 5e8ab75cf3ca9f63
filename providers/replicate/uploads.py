"""Replicate's files: an upload whose link stands for the image in a prediction's input.

https://replicate.com/docs/reference/http#files.create. Nobody deletes them here: Replicate drops them after a day
(unverified), and a call for each, after every prediction, would keep the caller waiting for nothing of his.
"""

from __future__ import annotations

from collections.abc import Generator

from providers.job_dialect.asking import ok
from providers.job_dialect.reading import UnreadableError, image_type, link, object_in
from providers.job_dialect.references import deliver
from providers.replicate import errors
from providers.replicate.errors import VENDOR
from providers.spec.blob import Blob
from providers.spec.conversation import BodyPart, HttpCall, Raw, Reply, Step

INLINE_CHARACTERS = 256 * 1024
"""Characters of all data URLs of a request together. The documentation takes data URLs up to 256 KB and wants files
above; whether that is each or all of them, encoded or not, it does not say: this is right in any reading."""


def uploaded(image: Blob, name: str, boundary: str, prompt: str) -> Generator[Step, Reply | None, str]:
    """Upload an image; the link under which a prediction finds it. Raises ProviderError with spend NONE.

    ``boundary``: 1 to 70 letters and digits that do not occur in the image.
    """
    call = HttpCall(
        "POST",
        "/v1/files",
        headers={"content-type": f"multipart/form-data; boundary={boundary}"},
        body=_form(image, name, boundary),
    )
    reply = yield from deliver(call, VENDOR)
    if not ok(reply):
        raise errors.upload_failed(reply, prompt)
    try:
        urls = object_in(reply).get("urls")
        return link(urls.get("get") if isinstance(urls, dict) else None)
    except UnreadableError as unreadable:
        raise errors.upload_failed(reply, prompt) from unreadable


def _form(image: Blob, name: str, boundary: str) -> tuple[BodyPart, ...]:
    """A form of one part; the image's bytes are read while they are sent."""
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="content"; filename="{name}"\r\n'
        f"Content-Type: {image_type(image)}\r\n\r\n"
    )
    return head.encode("ascii"), Raw(image), f"\r\n--{boundary}--\r\n".encode("ascii")
