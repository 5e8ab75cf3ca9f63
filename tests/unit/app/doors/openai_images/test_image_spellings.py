"""An input image means the same in a short body and a long one, in JSON and in a form: these are read differently."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.doors.openai_images.bodies import _THREAD_BYTES, _document
from app.doors.openai_images.body_limits import BodyLimits
from app.doors.openai_images.errors import ApiError, ParameterError
from app.doors.openai_images.fields import Fields, parse_object
from app.doors.openai_images.form import nested
from app.doors.openai_images.multipart_body import MultipartBody
from app.doors.openai_images.references import take_images
from app.media.inputs import InputError, Inputs
from providers.blobs import CUT_THRESHOLD
from providers.fetching import Unfetchable
from providers.spec.blob import Blob, BlobDamagedError
from providers.workers import Workers

LIMITS = BodyLimits()
LENGTHS = st.integers(33, 120) | st.integers(CUT_THRESHOLD // 4 * 3 - 9, CUT_THRESHOLD // 4 * 3 + 9)
HEADS = ("", "data:image/png;base64,", "DATA:IMAGE/PNG;BASE64,", "data:;base64,", "data:image/png;name=a.png;base64,")
DAMAGE = (str, lambda text: text[:-1], lambda text: text + "=", lambda text: text[:50] + "-_" + text[52:])


async def nothing(url: str) -> Blob:
    raise Unfetchable("there is nothing")


def read(document: dict[str, Any]) -> list[bytes | str]:
    """The bytes of each image of a document, or why there are none."""
    try:
        sources = take_images(Fields(document))
        inputs = Inputs(Workers(), nothing)
        return [asyncio.run(inputs._content(source, "It")).read() for source in sources]
    except (ApiError, InputError) as refused:
        return [refused.code or ""]
    except BlobDamagedError:
        return ["damaged"]


def in_json(value: Any, *, long: bool) -> list[bytes | str]:
    document = {"image": value, **({"prompt": "fox " * (_THREAD_BYTES // 4)} if long else {})}
    body = json.dumps(document).encode()
    return read(_document(body, None, LIMITS.text_bytes) if long else parse_object(body))


def in_form(value: str) -> list[bytes | str]:
    form = MultipartBody("b", None, LIMITS)
    with contextlib.suppress(ParameterError):
        form.feed(b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + value.encode() + b"\r\n--b--\r\n")
        return read(nested(form.finish()))
    return ["refused"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=1, max_size=9), LENGTHS, st.sampled_from(HEADS), st.sampled_from(["", " ", "\n"]))
def test_an_image_is_read_alike_wherever_it_stands(seed: bytes, length: int, head: str, blank: str) -> None:
    data = (seed * length)[:length]
    text = head + base64.b64encode(data).decode() + blank
    for value in (text, {"image_url": text}, {"image_url": {"url": text}}, {"b64_json": text}, [text]):
        assert in_json(value, long=False) == [data]
        assert in_json(value, long=True) == [data]
    assert in_form(text) == [data]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(LENGTHS, st.sampled_from(HEADS[1:]), st.sampled_from(DAMAGE[1:]))
def test_a_damaged_image_is_damaged_wherever_it_stands(length: int, head: str, damage: Any) -> None:
    text = head + damage(base64.b64encode(b"\xfb\xff" * length).decode())
    for told in (in_json(text, long=False), in_json(text, long=True), in_form(text)):
        assert not isinstance(told[0], bytes)
