"""Bad input: requests that must be refused as such, whoever sends them, by accident or not."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.rig.caller import Call
from benchmarks.rig.uploads import FORM, form, photograph

GENERATIONS: Final = "/v1/images/generations"
EDITS: Final = "/v1/images/edits"
_JSON: Final = {"content-type": "application/json"}
_GOOD: Final[Mapping[str, Any]] = {"prompt": "a fox"}


def bad_calls(key: Mapping[str, str]) -> tuple[Call, ...]:
    """Each once. ``key`` is the header of a good key."""
    calls = [Call(GENERATIONS, body, {**_JSON, **key}) for body in _bad_json()]
    calls += [Call(EDITS, body, {**headers, **key}) for headers, body in _bad_forms()]
    calls += [
        Call(GENERATIONS, json.dumps(_GOOD).encode(), _JSON),
        Call(GENERATIONS, json.dumps(_GOOD).encode(), {**_JSON, "authorization": "Bearer wrong"}),
        Call(GENERATIONS, b"", key, method="GET"),
        Call("/v1/images/variations", b"{}", {**_JSON, **key}),
        Call("/v1/images/../../etc/passwd", b"{}", {**_JSON, **key}),
        Call("/v1/images/files/AAAA/nothing.png", b"", key, method="GET"),
        Call("/v1/models/no-such-model", b"", key, method="GET"),
    ]
    return tuple(calls)


def _bad_json() -> Iterator[bytes]:
    yield from (b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe\x00", b"[" * 5000, b'{"prompt": "a", "prompt": }')
    yield b'{"prompt": "\\ud800", "size": NaN}'
    wrong: tuple[Mapping[str, Any], ...] = (
        {"prompt": None},
        {"prompt": ""},
        {"prompt": ["a"]},
        {"prompt": "a" * 200_000},
        {"model": "no-such-model"},
        {"n": 0},
        {"n": 11},
        {"n": "many"},
        {"size": "0x0"},
        {"size": "99999x1"},
        {"size": "huge"},
        {"resolution": "8K"},
        {"aspect_ratio": "0:1"},
        {"output_format": "bmp"},
        {"output_compression": 101},
        {"response_format": "paper"},
        {"stream": "perhaps"},
        {"partial_images": 9},
        {"timeout": -1},
        {"policy": "no-such-policy"},
        {"provider": {"only": ["nobody"]}},
        {"models": ["no-such-model"]},
        {"image": "data:image/png;base64,@@@@"},
        {"image": "data:image/png;base64,AAAA"},
        {"image": "ftp://example.com/a.png"},
        {"image": "http://169.254.169.254/latest/meta-data/"},
        {"image": "file:///etc/passwd"},
    )
    for change in wrong:
        yield json.dumps({**_GOOD, **change}).encode()


def _bad_forms() -> Iterator[tuple[Mapping[str, str], bytes]]:
    fields = {"prompt": "a fox"}
    picture = photograph(320, 200)
    yield FORM, form(fields, [])
    yield FORM, form({}, [("image", picture)])
    yield FORM, form(fields, [("image", b"not a picture")])
    yield FORM, form(fields, [("image", picture[: len(picture) // 3])])
    yield FORM, form(fields, [("image", b'<svg xmlns="http://www.w3.org/2000/svg"/>')])
    yield FORM, form(fields, [("image", _png_header(60_000, 60_000))])
    yield FORM, form(fields, [("image", picture), ("mask", b"GIF89a")])
    yield FORM, form(fields, [("image", picture)])[:-40]
    yield FORM, b"--wrong-boundary\r\n\r\n"
    yield {"content-type": "multipart/form-data"}, form(fields, [("image", picture)])
    yield {"content-type": "text/plain"}, b"a fox"


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be so large, and ends after its header."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
