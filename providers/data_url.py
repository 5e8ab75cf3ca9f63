"""Data URLs: where the data of one begins."""

from __future__ import annotations

LONGEST_HEAD = 256
"""In which the data of a URL that is taken for one must begin."""


def data_url_head(text: bytes) -> tuple[int, str] | None:
    """Where the base64 of a data URL begins, and its media type. 0 and nothing for what is no such URL; None for one
    that holds no base64."""
    if text[:5].lower() != b"data:":
        return 0, ""
    meta, comma, _ = text[:LONGEST_HEAD].partition(b",")
    if not comma or not meta.lower().endswith(b";base64"):
        return None
    return len(meta) + 1, meta[5:].split(b";")[0].decode("ascii", "replace").lower()
