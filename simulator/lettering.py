"""Letters that can be drawn: which typeface has them, and what stands in for those that none has.

Pillow's own typeface, always there, has little beyond ASCII. When a prompt needs more, typefaces of the system are
looked for; so the same prompt may look different on two machines, though never on one.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Face = str | None
"""Path of a font file; ``None`` for Pillow's own."""

FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
FILES = (
    # Latin, Greek, Cyrillic and more first, then the faces that have Chinese, Japanese and Korean.
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "segoeui.ttf",
    "Arial.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansCJKjp-Regular.otf",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc",
    "msyh.ttc",
    "meiryo.ttc",
    "malgun.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
)
MOST_FILES = 20_000
"""Files looked at before the search is given up."""
NOBODY_HAS = "\U0010fffe"
"""Not a character; what a face draws for it is what it draws for everything it lacks."""

LOOK_ALIKES = {
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "⁓": "~",
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"',
    "«": '"', "»": '"', "‹": "'", "›": "'", "…": "...", "•": "*", "·": "*", "◦": "*", "×": "x", "÷": "/",
    "→": "->", "←": "<-", "⇒": "=>", "↔": "<->", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "±": "+/-", "°": " deg ",
    "€": "EUR", "£": "GBP", "¥": "JPY", "¢": "c", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₿": "BTC",
    "¿": "?", "¡": "!", "©": "(c)", "®": "(r)", "§": "S.", "¶": "P.", "⁄": "/", "¦": "/",
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ħ": "h", "Ħ": "H", "ı": "i", "ŋ": "ng", "Ŋ": "NG",
}  # fmt: skip
"""What stands in for a character that the face lacks, before accents are taken off."""
UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc"})
"""Categories of characters whose absence is no loss to a reader: accents, joiners, variants of emoji."""


@lru_cache(maxsize=128)
def font(face: Face, size: int) -> Font:
    """The typeface at a size in pixels."""
    return ImageFont.load_default(size) if face is None else ImageFont.truetype(face, size)


@lru_cache(maxsize=1)
def system_faces() -> tuple[str, ...]:
    """Font files of this machine that are known to have many letters, in the order of ``FILES``."""
    found: dict[str, str] = {}
    seen = 0
    for folder in FOLDERS:
        for where, folders, names in os.walk(Path(folder).expanduser()):
            folders.sort()
            seen += len(names)
            for name in set(names).intersection(FILES):
                found.setdefault(name, str(Path(where) / name))
            if seen > MOST_FILES:
                break
    return tuple(path for name in FILES if (path := found.get(name)) and _usable(path))


def _usable(path: str) -> bool:
    try:
        font(path, 16)
    except OSError as error:
        print(f"simulator: the font {path} cannot be used: {error}", file=sys.stderr)
        return False
    return True


@lru_cache(maxsize=8192)
def has(face: Face, character: str) -> bool:
    """Whether the face draws this character as itself."""
    if character == " ":
        return True
    # The dotless outline of a missing character is the same for all of them.
    return _outline(face, character) != _outline(face, NOBODY_HAS)


def _outline(face: Face, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font(face, 24).getmask(character)
    return mask.size, bytes(mask)


def legible(text: str, faces: Sequence[Face] | None = None) -> tuple[Face, str]:
    """The face that shows most of the text, and the text as that face can show it.

    Characters that cannot be shown are left out and counted in a note at the end. ``faces``: which may be used, best
    first; by default Pillow's own and the system's.
    """
    if text.isascii() or all(has(None, character) for character in set(text)):
        return None, text
    attempts = [(*_adapted(text, face), face) for face in ((None, *system_faces()) if faces is None else faces)]
    lost, _, shown, face = min(attempts, key=lambda attempt: attempt[:2])
    if lost:
        note = f"({lost} character{'s' if lost > 1 else ''} without a glyph)"
        shown = f"{shown} {note}" if any(map(str.isalnum, shown)) else note
    return face, shown


def _adapted(text: str, face: Face) -> tuple[int, int, str]:
    """How many characters are lost, how many are replaced, and what is left."""
    pieces: list[str] = []
    lost = replaced = 0
    for character in unicodedata.normalize("NFC", text):
        if has(face, character):
            pieces.append(character)
            continue
        stand_in = _stand_in(character, face)
        if stand_in is None:
            lost += 1
        else:
            replaced += 1
            pieces.append(stand_in)
    return lost, replaced, " ".join("".join(pieces).split())


@lru_cache(maxsize=8192)
def _stand_in(character: str, face: Face) -> str | None:
    """What the face can show in its place; ``None`` when there is nothing."""
    if character.isspace():
        return " "
    if unicodedata.category(character) in UNSEEN:
        return ""
    if character in LOOK_ALIKES:
        return LOOK_ALIKES[character]
    apart = unicodedata.normalize("NFKD", character)
    letters = [letter for letter in apart if unicodedata.category(letter) not in UNSEEN]
    shown = [letter if has(face, letter) else LOOK_ALIKES.get(letter) for letter in letters]
    return "".join(letter for letter in shown if letter) if shown and None not in shown else None
