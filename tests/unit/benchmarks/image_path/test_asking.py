from __future__ import annotations

import json
from email.parser import BytesParser
from types import MappingProxyType

from benchmarks.image_path.asking import KEY, Dialect, edit, generation

PLAIN = Dialect("some-model")


def split(request: bytes) -> tuple[bytes, bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    return head, body


def test_a_generation_says_to_the_upstream_what_to_answer_and_when() -> None:
    head, body = split(generation(PLAIN, "4k", delay_ms=10_000))
    document = json.loads(body)
    assert "size=4k" in document["prompt"]
    assert "delay=10000" in document["prompt"]
    assert f"Content-Length: {len(body)}".encode() in head
    assert f"Authorization: Bearer {KEY}".encode() in head


def test_only_a_server_that_knows_tiers_is_asked_for_one() -> None:
    assert "resolution" not in json.loads(split(generation(PLAIN, "1k"))[1])
    tiered = Dialect("m", MappingProxyType({"x-more": "1"}), tiers=True)
    head, body = split(generation(tiered, "1k"))
    assert json.loads(body)["resolution"] == "1K"
    assert b"x-more: 1" in head


def test_an_edit_is_a_form_with_the_picture_in_it() -> None:
    picture = bytes(range(256)) * 40
    head, body = split(edit(PLAIN, picture))
    kind = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Type"))
    form = BytesParser().parsebytes(kind + b"\r\n\r\n" + body)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
    assert parts["image"].get_payload(decode=True) == picture  # type: ignore[union-attr]
    assert parts["model"].get_payload() == "some-model"  # type: ignore[union-attr]
