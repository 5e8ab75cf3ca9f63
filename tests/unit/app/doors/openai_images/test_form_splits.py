"""A form means the same however the network cuts it, whole or broken: the same parts, or the same refusal."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.doors.openai_images.body_limits import BodyLimits
from app.doors.openai_images.errors import ApiError
from app.doors.openai_images.multipart_body import MultipartBody

B = "--b-"
LIMITS = BodyLimits(parts=6, images=2, image_bytes=400, text_bytes=600, text_image_bytes=500, header_bytes=200)
"""Small enough to be met by what is drawn here."""

names = st.sampled_from(["prompt", "image", "image[]", "mask", "a[b]", "n", "", "é", 'a"b', "x" * 300])
bits = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"--",
        b"--b-",
        b"\r\n--b-",
        b"\r\n----b-",
        b"\r\n----b--",
        b"----b-\r\n",
        b"\r",
        b"-",
        b"fox",
        b"\xff",
        b"\0",
    ]
)
contents = st.lists(bits | st.binary(max_size=300), max_size=6).map(b"".join)
headers = st.sampled_from(
    [
        "",
        "; filename=a.png",
        '; filename="a.png"\r\nContent-Type: image/png',
        "\r\nX: y",
        "\r\n" + "X: y\r\n" * 9 + "Z: z",
    ]
)


@st.composite
def parts(draw: st.DrawFn) -> bytes:
    head = f'--{B}\r\nContent-Disposition: form-data; name="{draw(names)}"{draw(headers)}\r\n\r\n'
    return head.encode() + draw(contents) + b"\r\n"


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    body = b"".join(draw(st.lists(parts(), max_size=8)))
    end = draw(st.sampled_from([f"--{B}--\r\n", f"--{B}--", f"--{B}", "", f"--{B}--\r\nmore", f"--{B}--\r\n--{B}\r\n"]))
    return draw(st.sampled_from([b"", b"\r\n", b"preface\r\n"])) + body + end.encode()


def outcome(pieces: list[bytes]) -> Any:
    reading = MultipartBody(B, None, LIMITS)
    try:
        for piece in pieces:
            reading.feed(piece)
        read = reading.finish()
        return [(name, value if isinstance(value, str) else (value.media_type, value.base64())) for name, value in read]
    except ApiError as refused:
        return refused.status, refused.code, refused.param, refused.message
    finally:
        reading.close()


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(forms(), st.data())
def test_a_form_means_the_same_however_it_is_cut(body: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert outcome(pieces) == outcome([body])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(forms())
def test_a_form_means_the_same_byte_by_byte(body: bytes) -> None:
    assert outcome([body[place : place + 1] for place in range(len(body))]) == outcome([body])
