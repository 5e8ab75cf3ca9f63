"""What an operator may read of a vendor's words or of a bug's: a bounded part that never repeats the prompt."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import unquote

from providers.spec.conversation import Reply
from providers.spec.errors import DETAIL_LIMIT

ECHO_CHARS = 12
"""Consecutive characters of the prompt that count as repeating it. Shorter runs are common words; an engineering
choice, not a measured one."""

WITHHELD = "excerpt withheld: it repeats the prompt"

_JSON_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\[\"\\/bfnrt]")
"""Escapes of four hex digits are taken in runs, because a character beyond the first plane is written as two."""


def safe_excerpt(reply: Reply, prompt: str) -> str:
    """Status, size and the start of the body; the body is left out when it repeats any part of the prompt.

    Vendors echo prompts in error bodies, cut short, escaped for JSON, HTML or a URL; all these spellings are looked
    for.
    """
    head = f"HTTP {reply.status}, {len(reply.body)} bytes"
    text = safe_text(reply.excerpt(), prompt)
    return f"{head}: {text}" if text else head


def place_of(bug: BaseException) -> str:
    """``file:line`` where an exception was raised; beside its kind all that may be logged of it, for its text may hold
    the prompt. Empty for one that was never raised."""
    trace = bug.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""


def safe_text(text: str, prompt: str) -> str:
    """The printable start of a vendor's text, at most 300 characters; WITHHELD instead when it repeats the prompt."""
    start = "".join(char if char.isprintable() else " " for char in text[:DETAIL_LIMIT]).strip()
    readings = {start, unescape(start), unquote(start), _without_json_escapes(start)}
    return WITHHELD if any(_repeats(prompt, reading) for reading in readings) else start


def _repeats(prompt: str, text: str) -> bool:
    wanted, given = _folded(prompt), _folded(text)
    if len(wanted) <= ECHO_CHARS:
        return bool(wanted) and wanted in given
    return any(given[start : start + ECHO_CHARS] in wanted for start in range(len(given) - ECHO_CHARS + 1))


def _folded(text: str) -> str:
    """Lower case with every run of white space as one space, so that re-wrapping hides nothing."""
    return " ".join(text.lower().split())


def _without_json_escapes(text: str) -> str:
    return _JSON_ESCAPES.sub(_unescaped, text)


def _unescaped(escapes: re.Match[str]) -> str:
    try:
        return str(json.loads(f'"{escapes[0]}"'))
    except ValueError:
        return escapes[0]
