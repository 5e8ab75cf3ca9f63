"""JSON that is not what it should be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.case import PLAN, REFUSED, TAKEN, Case, Verdict

UNREADABLE: Verdict = (400, "invalid_json")
MISSING: Verdict = (400, "missing_required_parameter")
UNSUPPORTED: Verdict = (400, "unsupported_value")
UNKNOWN: Verdict = (404, "model_not_found")
ANY = (TAKEN, REFUSED, UNSUPPORTED, MISSING, UNKNOWN, UNREADABLE)
"""Read as something, or refused; never a fault of ours."""

FIELDS = (
    "prompt", "model", "models", "n", "size", "width", "height", "aspect_ratio", "resolution", "image_size",
    "image_config", "resize",
    "output_format", "output_compression", "background", "response_format", "stream", "partial_images", "seed",
    "system_prompt",
    "negative_prompt", "thinking_level", "web_search", "image_search", "safety", "moderation", "provider_options",
    "policy",
    "value_of_time", "hedge", "provider", "timeout", "dry_run", "quality", "user", "image", "images", "image_url",
    "mask", "markup",
    "extra_body", "style", "__proto__", "",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    True, -1, 0, 1.5, 1e308, 10**39, -(2**63), "", " ", "x", "\0", "x" * 5000, "\u202e", "０", "1e9", "NaN", [], {},
    [[[]]],
    [None] * 50, {"": {"": {}}}, [{"image_url": {"url": []}}], {"image_url": 7}, {"width": [], "height": {}},
    {"$image-gateway-blob": 0},
    {"fal": []}, {"gemini": {"a": {"b": ["x"] * 99}}}, {"max_price": {"image": "-1"}}, {"order": [{}]},
    {"only": "fal", "ignore": ["fal"]},
)  # fmt: skip
"""Each is sent for each field, so most are of the wrong type there."""


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _texts()
    yield from _encodings()
    yield from _large()
    for field in FIELDS:
        for value in VALUES:
            body = json.dumps({"prompt": "a fox", field: value}).encode()
            yield _of(f"{field or 'a nameless field'}: {json.dumps(value)[:40]}", body, *ANY)


def _of(name: str, body: bytes, *verdicts: Verdict, **more: Any) -> Case:
    return Case(name, body, verdicts or (UNREADABLE,), path=PLAN, content_type="application/json", **more)


def _texts() -> Iterator[Case]:
    for text in (
        "", " ", "{", "}", "[", "[]", "null", "true", "7", '"prompt"', "{]", "{}}", '{"prompt"}', '{"prompt":}',
        '{"prompt": "a fox",}',
        "{'prompt': 'a fox'}", '{prompt: "a fox"}', '{"prompt": "a fox"} {"prompt": "a fox"}',
        '{"prompt": "a fox"}garbage', "/* */{}",
        '{"prompt": "a\nfox"}', '{"prompt": "a\tfox"}', '{"prompt": "\\x41"}', '{"prompt": "\\u12"}',
        '{"prompt": "a fox"', '{"prompt": "a fo',
        '{"prompt": "\\', '{"seed": 01}', '{"seed": +1}', '{"seed": .5}', '{"seed": 1.}', '{"seed": 0x10}',
        '{"seed": 1_000}', "<xml/>",
        '{"seed": NaN}', '{"seed": Infinity}', '{"seed": -Infinity}', '{"seed": 1e999}', '{"seed": -1e999}',
        '{"seed": 1e-999, "n": 1E+400}',
    ):  # fmt: skip
        yield _of(f"JSON {text[:40]!r}", text.encode())
    yield _of("a number of 41 digits", b'{"prompt": "a", "seed": ' + b"9" * 41 + b"}")
    yield _of("a number of a million digits", b'{"prompt": "a", "seed": ' + b"9" * 1_000_000 + b"}")
    yield _of("a number with a million decimals", b'{"prompt": "a", "seed": 0.' + b"9" * 1_000_000 + b"}", *ANY)
    yield _of("two prompts", b'{"prompt": 7, "prompt": "a fox"}', TAKEN)
    yield _of("no prompt", b"{}", MISSING)
    yield _of("line ends of every kind", b'\r\n\t {"prompt"\r:\n"a fox"}\r\n', TAKEN)


def _encodings() -> Iterator[Case]:
    plain = '{"prompt": "a fox"}'
    yield _of("UTF-8 with a mark", plain.encode("utf-8-sig"), TAKEN)
    yield _of("UTF-8 with two marks", b"\xef\xbb\xbf" * 2 + plain.encode())
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"):
        yield _of(f"JSON in {encoding}", plain.encode(encoding), UNREADABLE, *((TAKEN,) if encoding == "utf-7" else ()))
    for text in (b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
        yield _of(f"the prompt {text!r}", b'{"prompt": "' + text + b'"}')
    for half in ("\\ud800", "\\udfff", "\\ud800x", "\\udc00\\ud800", "\\uD83D"):
        yield _of(f"the prompt {half}", b'{"prompt": "' + half.encode() + b'"}', REFUSED)
        yield _of(f"a field named {half}", b'{"prompt": "a fox", "' + half.encode() + b'": 1}', REFUSED)
    yield _of("the prompt \\u0000", b'{"prompt": "\\u0000"}', *ANY)
    yield _of("a prompt of a pair", b'{"prompt": "\\ud83e\\udd8a"}', *ANY)


def _large() -> Iterator[Case]:
    for depth in (65, 1000, 50_000):
        yield _of(f"{depth} lists in each other", b'{"prompt": "a", "x": ' + b"[" * depth + b"]" * depth + b"}")
        yield _of(f"{depth} objects in each other", b'{"x":' * depth + b"1" + b"}" * depth)
        yield _of(f"{depth} lists that do not end", b'{"x":' + b"[" * depth)
    yield _of("60 lists in each other", b'{"prompt": "a fox", "x": ' + b"[" * 60 + b"]" * 60 + b"}", TAKEN)
    yield _of("a list of two million", b'{"prompt": "a", "x": [' + b"1," * 2_000_000 + b"1]}")
    yield _of("90,000 fields", json.dumps({"prompt": "a fox", **{f"f{n}": 1 for n in range(40_000)}}).encode(), TAKEN)
    yield _of(
        "a prompt of 5 MB", json.dumps({"prompt": "fox " * 1_250_000}).encode(), (413, "request_too_large"), REFUSED
    )
    yield _of(
        "a prompt of 30 MB of letters",
        json.dumps({"prompt": "A" * 30_000_000}).encode(),
        REFUSED,
        (413, "request_too_large"),
    )
    yield _of("5 MB of blanks", b" " * 5_000_000 + b'{"prompt": "a fox"}', (413, "request_too_large"))
    yield _of("2 MB of backslashes", b'{"prompt": "' + b"\\" * 2_000_000 + b'"}', REFUSED, UNREADABLE)
    yield _of("2 MB of quotes", b'{"prompt": "' + b'\\"' * 1_000_000 + b'"}', REFUSED, (413, "request_too_large"))
    long = json.dumps({"prompt": "a fox", "x" * 300_000: "y" * 300_000}).encode()
    yield _of("a long name and a long text", long, TAKEN)
    yield _of(
        "2,000 places of ours",
        json.dumps({"prompt": "a fox", "images": [{"$image-gateway-blob": 0}] * 2000}).encode(),
        REFUSED,
    )
    bomb = "A" * 400_000
    forged = {"prompt": "a fox", "images": [f"data:image/png;base64,{bomb}", *[{"$image-gateway-blob": 0}] * 15]}
    yield _of("one picture in 16 places of ours", json.dumps(forged).encode(), REFUSED)
    in_chunks = json.dumps({"prompt": "a fox"}).encode()
    yield _of("JSON in chunks of a byte", in_chunks, TAKEN, chunk=1)
