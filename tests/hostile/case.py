"""One hostile input and what is to come of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

BOUNDARY = "b0undary"
EDITS = "/v1/images/edits?dry_run=true"
"""Input images are read, fetched, decoded and stripped as for any edit; nobody is asked to make one."""
PLAN = "/v1/route"
TAKEN = (200, None)
"""It is harmless, whatever it looks like, or what was harmful about it was left out."""
REFUSED = (400, "invalid_value")

Verdict = tuple[int, str | None]


@dataclass(frozen=True, slots=True)
class Case:
    """A request. ``verdicts`` are the statuses it may be answered with, each with the error's code.

    ``chunk``: the body is sent in chunks of so many bytes, without a length. ``head``: the whole request, head and all,
    as bytes; nothing else of it counts then.
    """

    name: str
    body: bytes = field(default=b"", repr=False)
    verdicts: tuple[Verdict, ...] = (REFUSED,)
    path: str = EDITS
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}"
    chunk: int | None = None
    head: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def part(
    name: str, data: bytes, *, filename: str | None = None, media_type: str | None = None, more: bytes = b""
) -> bytes:
    """One part of a form, with the boundary before it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    head += "" if filename is None else f'; filename="{filename}"'
    head += "" if media_type is None else f"\r\nContent-Type: {media_type}"
    return head.encode() + more + b"\r\n\r\n" + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
PROMPT = part("prompt", b"a fox")


def form(*parts: bytes) -> bytes:
    """A form of a prompt and these parts."""
    return PROMPT + b"".join(parts) + END


def upload(name: str, data: bytes, *verdicts: Verdict, field: str = "image") -> Case:
    """A file in a form."""
    file = part(field, data, filename="fox.png", media_type="image/png")
    return Case(name, form(file), verdicts or (REFUSED,))


def inline(name: str, data: bytes, *verdicts: Verdict) -> Case:
    """The same as a data URL in JSON."""
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    body = json.dumps({"prompt": "a fox", "images": [{"image_url": url}]}).encode()
    return Case(f"{name}, inline", body, verdicts or (REFUSED,), content_type="application/json")


def cut_everywhere(name: str, data: bytes, steps: int = 12) -> Iterator[Case]:
    """The file cut short at so many places, none of which makes a whole one."""
    for step in range(1, steps + 1):
        length = max(1, (len(data) - 1) * step // steps)
        yield upload(f"{name} cut to {length} bytes", data[:length])
