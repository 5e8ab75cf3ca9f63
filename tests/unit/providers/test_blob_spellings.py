"""The base64 cutter against a slow exact reading: whatever the spelling of a body, it is the same document."""

from __future__ import annotations

import base64
import json
import mmap
import tempfile
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.blobs import CUT_THRESHOLD, Base64Blob, TextTooLargeError, cut
from providers.spec.conversation import BLOB_KEY, Reply

_QUICK = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def pictures() -> st.SearchStrategy[str]:
    """Base64 text around the length from which it is cut, and of some pieces."""
    lengths = st.integers(CUT_THRESHOLD // 4 * 3 - 6, CUT_THRESHOLD // 4 * 3 + 6) | st.integers(190_000, 200_000)
    texts = st.builds(
        lambda seed, length: base64.b64encode((seed * (length // len(seed) + 1))[:length]).decode(),
        st.binary(min_size=1, max_size=40),
        lengths,
    )
    heads = st.sampled_from(["", "data:image/png;base64,", "DATA:image/webp;name=a;BASE64,", "data:;base64,"])
    return st.builds(str.__add__, heads, texts)


def prose() -> st.SearchStrategy[str]:
    """Long text of quotes, backslashes and whatever else, of which none is base64."""
    bits = st.sampled_from(['"', "\\", '\\"', "\\\\", "é", "𝕗", "\u2028", "/", "A", ":", "{}", "\n"])
    return st.builds(lambda few: "~" + "".join(few) * (CUT_THRESHOLD // 4), st.lists(bits, min_size=1, max_size=6))


NAMES = st.sampled_from(["", "a", 'a"b', "\\", "data", "é"]) | pictures()
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | pictures() | prose()
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


class Speller:
    """Writes JSON in one of the many ways there are, drawn as it goes."""

    def __init__(self, draw: Any) -> None:
        self._blanks = draw(st.sampled_from(["", " ", "\r\n\t"]))
        self._every = draw(st.sampled_from([0, 3, 101, 16_001]))
        """One character in so many comes as an escape; 0: none that need not."""
        self._form: str = draw(st.sampled_from(["\\u{:04x}", "\\u{:04X}"]))
        self._slashes = draw(st.booleans())

    def written(self, value: Any) -> str:
        blanks = self._blanks
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return f"[{blanks}{f'{blanks},{blanks}'.join(map(self.written, value))}{blanks}]"
        if isinstance(value, dict):
            members = (f"{self._text(name)}{blanks}:{blanks}{self.written(each)}" for name, each in value.items())
            return f"{{{blanks}{f'{blanks},{blanks}'.join(members)}{blanks}}}"
        return str(json.dumps(value))

    def _text(self, value: str) -> str:
        plain = json.dumps(value, ensure_ascii=False)[1:-1]
        if self._slashes:
            plain = plain.replace("/", "\\/")
        if not self._every or "\\" in plain:  # an escape within an escape would be another text
            return f'"{plain}"'
        chars = list(plain)
        chars[self._every - 1 :: self._every] = map(self._escaped, chars[self._every - 1 :: self._every])
        return f'"{"".join(chars)}"'

    def _escaped(self, char: str) -> str:
        if char.isascii():
            return self._form.format(ord(char))
        units = char.encode("utf-16-be")
        return "".join(self._form.format(units[at] << 8 | units[at + 1]) for at in range(0, len(units), 2))


def filled(value: Any) -> Any:
    """The document with every blob as the text it stands for, without the head of its data URL."""
    if isinstance(value, dict):
        return {name: filled(each) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each) for each in value]
    return (value.media_type, bytes(value.text).decode()) if isinstance(value, Base64Blob) else value


def exact(value: Any) -> Any:
    """The same out of the parsed document: what is long, is base64 and stands as a value is a blob."""
    if isinstance(value, dict):
        return {name: exact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [exact(each) for each in value]
    return value if not isinstance(value, str) else _blob_of(value)


def _blob_of(text: str) -> Any:
    head, comma, rest = text.partition(",")
    if text[:5].lower() == "data:" and comma and head.lower().endswith(";base64"):
        found = (head[5:].split(";")[0].lower(), rest)
    else:
        found = ("", text)
    try:
        base64.b64decode(found[1], validate=True)
    except ValueError:
        return text
    return found


def mapped(body: bytes) -> mmap.mmap:
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        return mmap.mmap(file.fileno(), len(body), access=mmap.ACCESS_READ)


@_QUICK
@given(DOCUMENTS, st.data(), st.booleans())
def test_however_a_document_is_spelt_it_is_cut_into_what_it_says(
    document: Any, data: st.DataObject, map_it: bool
) -> None:
    text = Speller(data.draw).written(document)
    body = text.encode()
    assert json.loads(body) == document
    skeleton, blobs = cut(mapped(body) if map_it else body)
    found = filled(Reply(200, {}, skeleton, blobs).json())
    wanted = exact(document)
    assert unfolded(found, wanted) == wanted


def unfolded(found: Any, wanted: Any) -> Any:
    """``found`` with short texts judged as the exact reading judges them: only long ones are cut."""
    if isinstance(found, dict):
        return {name: unfolded(each, wanted.get(name)) for name, each in found.items()}
    if isinstance(found, list):
        return [unfolded(each, other) for each, other in zip(found, wanted, strict=True)]
    short = isinstance(found, str) and len(found) <= CUT_THRESHOLD
    return _blob_of(found) if short else found


@_QUICK
@given(DOCUMENTS, st.data(), st.integers(0, 60_000))
def test_what_stays_is_bounded_or_refused(document: Any, data: st.DataObject, limit: int) -> None:
    body = Speller(data.draw).written(document).encode()
    marks = len(json.dumps({BLOB_KEY: 99}))
    whole, blobs = cut(body)
    stays = len(whole) - sum(len(json.dumps({BLOB_KEY: place})) for place in range(len(blobs)))
    try:
        skeleton, _ = cut(body, text_limit=limit)
    except TextTooLargeError:
        # A short body is not looked at; where a text has quotes in it, its end is not waited for.
        assert stays > limit
    else:
        assert skeleton == whole
        assert len(body) <= CUT_THRESHOLD or len(skeleton) <= limit + marks * len(blobs)


@_QUICK
@given(pictures(), st.data())
def test_gathered_text_is_the_text_wherever_it_is_put_together(text: str, data: st.DataObject) -> None:

    def gather(pieces: Iterable[bytes | memoryview]) -> bytes:
        return b"".join(map(bytes, pieces))

    body = ("[" + Speller(data.draw).written(text) + "]").encode()
    skeleton, blobs = cut(body, gather=gather)
    (value,) = Reply(200, {}, skeleton, blobs).json()
    if isinstance(value, Base64Blob):
        assert bytes(value.text).decode() == text.rpartition(",")[2]
    else:
        assert value == text


@pytest.mark.parametrize("quotes", [1, 2, 3, 100, 90_000])
@pytest.mark.parametrize("ending", [b'"', b'\\\\"', b"", b"\\"])
def test_a_text_of_many_quotes_ends_where_it_ends(quotes: int, ending: bytes) -> None:
    body = b'{"a": "' + b'x\\"' * quotes + ending + b', "b": "' + base64.b64encode(bytes(20_000)) + b'"}'
    skeleton, blobs = cut(body)
    if ending.endswith(b'"'):
        assert len(blobs) == 1
        assert json.loads(skeleton)["b"] == {BLOB_KEY: 0}
    else:  # then the text goes on to the next quote
        assert skeleton[: 6 + 3 * quotes] == body[: 6 + 3 * quotes]


def test_the_end_of_a_text_of_quotes_is_found_without_a_look_at_each() -> None:
    class Watched(bytes):
        looks = 0

        def __getitem__(self, place: Any) -> Any:
            Watched.looks += 1
            return bytes.__getitem__(self, place)

    cut(Watched(b'{"a": "' + b'\\"' * 500_000 + b'"}'))
    assert Watched.looks < 100
