"""Writing on a picture: who made it, what was asked, what it is; as large as it fits."""

from __future__ import annotations

from PIL import Image, ImageDraw

from simulator.lettering import Face, Font, font, legible
from simulator.vendors import Look

Box = tuple[int, int, int, int]

LONGEST = 600
"""Characters of the prompt that are shown; more would not be legible."""
WHITE = (255, 255, 255)
INK = (16, 18, 28)


def draw_caption(picture: Image.Image, title: str, prompt: str, footnote: str, look: Look) -> None:
    """Write the title (who made it) at the top, the prompt in the middle and the footnote at the bottom."""
    width, height = picture.size
    margin = max(min(width, height) // 20, 6)
    head, middle, foot = (_beside if width >= height * 3 else _stacked)(width, height, margin)
    pen = ImageDraw.Draw(picture)
    _write(picture, pen, title, head, ground=look.hills[2], largest=max(min(width, height) // 11, 14), tight=True)
    _write(picture, pen, shortened(prompt), middle, ground=INK, largest=max(min(width, height) // 8, 16))
    _write(picture, pen, footnote, foot, ground=look.hills[2], largest=max(max(width, height) // 44, 11), tight=True)


def shortened(prompt: str) -> str:
    """The prompt on one line of text, cut with an ellipsis when it is too long to show."""
    text = " ".join(prompt.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _stacked(width: int, height: int, margin: int) -> tuple[Box, Box, Box]:
    return (
        (margin, margin, width - margin, round(height * 0.22)),
        (margin, round(height * 0.36), width - margin, round(height * 0.84)),
        (margin, round(height * 0.86), width - margin, height - margin),
    )


def _beside(width: int, height: int, margin: int) -> tuple[Box, Box, Box]:
    """A panorama has no room for three rows: name and footnote share a column on the left."""
    column = width // 4
    return (
        (margin, margin, column, height // 2),
        (column + margin, margin, width - margin, height - margin),
        (margin, height // 2 + margin, column, height - margin),
    )


def _wrapped(text: str, type_: Font, room: float) -> list[str]:
    """Lines no wider than ``room``; a word that is wider is cut."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        candidate = f"{line} {word}".strip()
        if type_.getlength(candidate) <= room:
            line = candidate
            continue
        if line:
            lines.append(line)
        while type_.getlength(word) > room and len(word) > 1:
            cut = max(int(len(word) * room / type_.getlength(word)), 1)
            while cut > 1 and type_.getlength(word[:cut]) > room:
                cut -= 1
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line] if line else lines


def _fitting(text: str, face: Face, box: Box, largest: int, padding: float) -> tuple[Font, list[str], int]:
    """The largest type in which the text fits the box; the smallest there is when none does."""
    size = largest
    while True:
        type_ = font(face, size)
        inset = 2 * padding * size
        lines = _wrapped(text, type_, max(box[2] - box[0] - inset, 1))
        leading = round(size * 1.25)
        whole = size < largest // 2 or max(map(type_.getlength, text.split(" "))) <= box[2] - box[0] - inset
        if (whole and len(lines) * leading + inset <= box[3] - box[1]) or size <= 8:
            return type_, lines, leading
        size = max(int(size * 0.85), 8)


def _write(
    picture: Image.Image,
    pen: ImageDraw.ImageDraw,
    text: str,
    box: Box,
    *,
    ground: tuple[int, int, int],
    largest: int,
    tight: bool = False,
) -> None:
    """Text on a panel just large enough for it: at the left when tight, else in the middle of the box."""
    padding = 0.35 if tight else 0.6
    face, text = legible(text)
    type_, lines, leading = _fitting(text, face, box, largest, padding)
    if not lines:
        return
    inset = round(padding * leading / 1.25)
    wide = round(max(type_.getlength(line) for line in lines)) + 2 * inset
    high = len(lines) * leading + 2 * inset
    left = box[0] if tight else (box[0] + box[2] - wide) // 2
    top = box[1] if tight else (box[1] + box[3] - high) // 2
    top = max(min(top, picture.height - high), 0)
    panel = (max(left, 0), top, min(left + wide, picture.width), min(top + high, picture.height))
    behind = picture.crop(panel)
    picture.paste(Image.blend(behind, Image.new("RGB", behind.size, ground), 0.84), panel[:2])
    for place, line in enumerate(lines):
        pen.text((left + inset, top + inset + place * leading), line, font=type_, fill=WHITE)
