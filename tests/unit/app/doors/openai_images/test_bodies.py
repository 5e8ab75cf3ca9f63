"""What a caller sent, JSON or a form, as one document; and what becomes of a body that is refused."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from app.doors.openai_images.bodies import Body, read
from app.doors.openai_images.body_limits import BodyLimits
from app.doors.openai_images.drain import drain
from app.doors.openai_images.errors import ApiError
from providers.blobs import Base64Blob
from providers.spec.conversation import BLOB_KEY
from providers.spool import SpoolFailedError, holder
from providers.workers import Workers

PIXELS = bytes(range(256)) * 3000
PNG = f"data:image/png;base64,{base64.b64encode(PIXELS).decode()}"
LIMITS = BodyLimits()
FORM = "multipart/form-data; boundary=b"
FOREVER = object()


class Sender:
    """A client that sends these pieces; after FOREVER nothing more comes."""

    def __init__(self, pieces: Iterable[bytes | object], *, leaves: bool = False) -> None:
        self._pieces = list(pieces)
        self._leaves = leaves
        self.asked = 0

    async def receive(self) -> Message:
        self.asked += 1
        if not self._pieces:
            if self._leaves:
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
        piece = self._pieces.pop(0)
        if piece is FOREVER:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or self._leaves}

    @property
    def left(self) -> int:
        return len(self._pieces)


def request(sender: Sender, content_type: str | None = "application/json", **headers: str) -> Request:
    given = {**({} if content_type is None else {"content-type": content_type}), **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, sender.receive)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    own = Workers()
    yield own
    own.close()


async def of(
    workers: Workers,
    body: bytes | Sender,
    content_type: str | None = "application/json",
    limits: BodyLimits = LIMITS,
    spool_dir: Path | None = None,
    **headers: str,
) -> Body:
    sender = (
        Sender([body[at : at + 65536] for at in range(0, len(body), 65536)] or [b""])
        if isinstance(body, bytes)
        else body
    )
    return await read(request(sender, content_type, **headers), workers, spool_dir, limits)


async def refused(workers: Workers, *args: Any, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await of(workers, *args, **options)
    assert len(caught.value.message) < 300
    return caught.value


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/vnd.x+json", None, "text/plain"]
)
async def test_json_is_read_whatever_its_type_is_called(workers: Workers, content_type: str | None) -> None:
    body = await of(workers, b' \n{"prompt": "a fox"}', content_type)
    assert body == Body({"prompt": "a fox"}, multipart=False)


async def test_json_under_a_forms_type_is_read_and_a_form_of_that_type_is_not(workers: Workers) -> None:
    type = "application/x-www-form-urlencoded"
    assert (await of(workers, Sender([b"", b" ", b'{"a"', b": 1}"]), type)).document == {"a": 1}
    for sent in (b"prompt=a+fox", b"", b"   "):
        error = await refused(workers, sent, type)
        assert (error.status, error.code) == (415, "unsupported_media_type")
        assert "connection" not in error.headers


@pytest.mark.parametrize("content_type", ["multipart/mixed; boundary=b", "image/png"])
async def test_other_types_are_refused_by_name(workers: Workers, content_type: str) -> None:
    error = await refused(workers, b"--b--", content_type)
    assert error.status == 415
    assert content_type.partition(";")[0] in error.message


async def test_a_compressed_body_is_refused(workers: Workers) -> None:
    error = await refused(workers, b"\x1f\x8b", content_encoding="gzip")
    assert (error.status, error.headers["accept-encoding"]) == (415, "identity")


async def test_images_in_a_large_json_body_never_become_strings(workers: Workers, tmp_path: Path) -> None:
    sent = {"images": [{"image_url": PNG}, {"image_url": "https://a/b.png"}], "mask": {"image_url": PNG}, "prompt": "x"}
    document = (await of(workers, json.dumps(sent).encode(), spool_dir=tmp_path)).document
    first, mask = document["images"][0]["image_url"], document["mask"]["image_url"]
    for blob in (first, mask):
        assert isinstance(blob, Base64Blob)
        assert isinstance(blob.text, memoryview)
        assert (blob.media_type, blob.read()) == ("image/png", PIXELS)
    assert document["images"][1] == {"image_url": "https://a/b.png"}
    assert document["prompt"] == "x"


async def test_slashes_that_were_escaped_are_slashes_and_lie_in_a_file(workers: Workers, tmp_path: Path) -> None:
    sent = json.dumps({"image": PNG * 1 + "A" * 4_000_000}).replace("/", r"\/").encode()
    blob = (await of(workers, sent, spool_dir=tmp_path)).document["image"]
    assert isinstance(blob, Base64Blob)
    assert not isinstance(blob.text, bytes)
    assert bytes(blob.text) == PNG.partition(",")[2].encode() + b"A" * 4_000_000
    assert blob.media_type == "image/png"


async def test_a_small_json_body_keeps_its_strings(workers: Workers) -> None:
    url = PNG[:100_000]
    assert (await of(workers, json.dumps({"image": url}).encode())).document == {"image": url}


async def test_a_prompt_of_nothing_but_letters_stays_text_beside_a_large_image(workers: Workers) -> None:
    document = (await of(workers, json.dumps({"prompt": "x" * 32_000, "image": PNG}).encode())).document
    assert document["prompt"] == "x" * 32_000
    assert isinstance(document["image"], Base64Blob)


async def test_an_object_that_looks_like_our_mark_harms_nobody(workers: Workers) -> None:
    for index in (-1, 0, 1, 10**30, True, "0", None):
        sent = {"a": {BLOB_KEY: index}, "image": PNG}
        document = (await of(workers, json.dumps(sent).encode())).document
        assert document["a"] == {BLOB_KEY: index} or document["a"] is document["image"]


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"[]", b'{"a": "' + b"A" * 400_000, b'{"a": NaN, "b": "' + b"A" * 400_000 + b'"}']
)
async def test_what_is_no_json_is_a_400_naming_the_body(workers: Workers, sent: bytes) -> None:
    error = await refused(workers, sent)
    assert (error.status, error.param, error.code) == (400, "body", "invalid_json")


@pytest.mark.parametrize(
    "text", [b"\xc3\xa9" * 60_000, b'\\"' * 60_000, b"\\\\" * 60_000, b" " * 120_000, b'","' * 40_000], ids=range(5)
)
async def test_text_beyond_the_limit_is_refused_and_images_do_not_count(workers: Workers, text: bytes) -> None:
    limits = dataclasses.replace(LIMITS, text_bytes=50_000)
    image = b'{"image": "' + PNG.encode() + b'", "a": ["'
    assert (await of(workers, image + b'x"]}', limits=limits)).document["a"] == ["x"]
    error = await refused(workers, image + text + b'"]}', limits=limits)
    assert (error.status, error.code) == (413, "request_too_large")
    assert "50,000" in error.message


async def test_a_form_is_one_document(workers: Workers) -> None:
    parts = [
        b'name="n"\r\n\r\n2',
        b'name="image[]"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG',
        b'name="image_config[aspect_ratio]"\r\n\r\n1:1',
    ]
    sent = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--b--"
    body = await of(workers, sent, FORM)
    assert body.multipart
    assert body.document["n"] == "2"
    assert body.document["image_config"] == {"aspect_ratio": "1:1"}
    (image,) = body.document["image"]
    assert image.read() == b"\x89PNG"


@pytest.mark.parametrize("content_type", ["application/json", FORM])
async def test_a_stated_length_beyond_the_limit_is_refused_before_anything_is_read(
    workers: Workers, content_type: str
) -> None:
    sender = Sender([b"x"] * 3)
    error = await refused(workers, sender, content_type, content_length=str(10**9), expect="100-Continue")
    assert (error.status, error.code) == (413, "request_too_large")
    assert sender.asked == 0
    assert error.headers["connection"] == "close"


@pytest.mark.parametrize("content_type", ["application/json", FORM])
@pytest.mark.parametrize("stated", ["10", "", "-5", "9" * 5000, "²"])
async def test_bytes_are_counted_whatever_the_stated_length(workers: Workers, content_type: str, stated: str) -> None:
    limits = dataclasses.replace(LIMITS, json_bytes=1000, total_bytes=1000)
    headers = {"content_length": stated} if stated.isascii() else {}
    error = await refused(workers, Sender([b"{" + b" " * 400] * 5), content_type, limits, **headers)
    assert error.status == 413
    assert "1,000" in error.message


async def test_a_refused_body_is_read_to_its_end_and_the_connection_stays(workers: Workers) -> None:
    sender = Sender([b"{" + b" " * 400] * 50)
    error = await refused(workers, sender, limits=dataclasses.replace(LIMITS, json_bytes=1000))
    assert sender.left == 0
    assert "connection" not in error.headers


async def test_draining_ends_at_its_bounds_and_when_the_sender_leaves() -> None:
    assert not await drain(request(Sender([b"x" * 100] * 50)), max_bytes=1000)
    assert not await drain(request(Sender([b"x", FOREVER])), max_seconds=0.01)
    assert not await drain(request(Sender([b"x"], leaves=True)))
    sender = Sender([b"x"] * 9)
    assert await drain(request(sender))
    assert sender.left == 0


async def test_draining_a_body_that_was_read_waits_for_nothing() -> None:
    whole = request(Sender([b"x"]))
    async for _ in whole.stream():
        pass
    assert await drain(whole)


@pytest.mark.parametrize("content_type", ["application/json", FORM])
async def test_silence_is_a_408_and_is_not_drained(workers: Workers, content_type: str) -> None:
    sender = Sender([b"{", FOREVER, b"}"])
    error = await refused(workers, sender, content_type, dataclasses.replace(LIMITS, silence_s=0.01))
    assert (error.status, error.code) == (408, "request_timeout")
    assert error.headers["connection"] == "close"
    assert sender.asked == 2


async def test_a_body_may_not_take_for_ever_however_steadily_it_comes(workers: Workers) -> None:
    class Dripping(Sender):
        async def receive(self) -> Message:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": b" ", "more_body": True}

    error = await refused(workers, Dripping([]), limits=dataclasses.replace(LIMITS, seconds=0.05))
    assert error.status == 408
    assert "0.05 s" in error.message


@pytest.mark.parametrize("content_type", ["application/json", FORM])
async def test_a_sender_that_leaves_is_told_as_that(workers: Workers, content_type: str) -> None:
    with pytest.raises(ClientDisconnect):
        await of(workers, Sender([b'{"a'], leaves=True), content_type)


async def test_a_disk_that_takes_no_file_is_not_the_callers_fault(workers: Workers, tmp_path: Path) -> None:
    with pytest.raises(SpoolFailedError):
        await of(workers, b'{"a": "' + b"x" * 2_000_000, spool_dir=tmp_path / "missing")


class Answering:
    """Who answers for bodies."""

    half_full = False

    def __init__(self) -> None:
        self.held = 0

    def took(self, count: int) -> None:
        self.held += count

    def gave_back(self, count: int) -> None:
        self.held -= count


@pytest.mark.parametrize("pieces", [[b'{"prompt": "fox"}'], [b'{"prompt":', b' "fox"}']])
async def test_bytes_of_a_small_body_are_answered_for_however_it_comes(workers: Workers, pieces: list[bytes]) -> None:
    answering = Answering()
    token = holder.set(answering)
    try:
        assert (await of(workers, Sender(pieces))).document == {"prompt": "fox"}
    finally:
        holder.reset(token)
    assert answering.held == sum(map(len, pieces))
