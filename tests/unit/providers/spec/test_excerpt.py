"""safe_excerpt: an operator sees the vendor's words, never the caller's prompt."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest

from providers.spec.conversation import Reply
from providers.spec.errors import DETAIL_LIMIT
from providers.spec.excerpt import WITHHELD, safe_excerpt, safe_text

PROMPT = 'Ein "süßes" Kätzchen 🐈\nauf dem Dach'


@pytest.mark.parametrize(
    "echo",
    [
        PROMPT,
        PROMPT.upper(),
        PROMPT[3:18],
        " ".join(PROMPT.split()),
        json.dumps(PROMPT),
        json.dumps(PROMPT, ensure_ascii=False),
        html.escape(PROMPT),
        quote(PROMPT),
    ],
)
def test_a_text_that_repeats_the_prompt_is_withheld_in_any_spelling(echo: str) -> None:
    assert safe_text(f"invalid value: {echo} at field 3", PROMPT) == WITHHELD


def test_a_text_that_does_not_repeat_it_is_kept_and_bounded() -> None:
    assert safe_text("quota\x00 exceeded\n", PROMPT) == "quota  exceeded"
    assert len(safe_text("x" * 10_000, PROMPT)) == DETAIL_LIMIT


def test_a_short_prompt_is_looked_for_whole() -> None:
    assert safe_text("no cat here", "cat") == WITHHELD
    assert safe_text("no dog here", "cat") == "no dog here"


def test_broken_escapes_do_no_harm() -> None:
    assert safe_text(r"\ud83d \u12 \q %zz &#xffffffff;", PROMPT) == r"\ud83d \u12 \q %zz &#xffffffff;"


def test_an_excerpt_says_status_and_size_even_when_the_body_says_nothing() -> None:
    assert safe_excerpt(Reply(502, {}), PROMPT) == "HTTP 502, 0 bytes"
    assert safe_excerpt(Reply(502, {}, b"<h1>nginx</h1>"), PROMPT) == "HTTP 502, 14 bytes: <h1>nginx</h1>"
    assert WITHHELD in safe_excerpt(Reply(400, {}, json.dumps({"input": PROMPT}).encode()), PROMPT)
