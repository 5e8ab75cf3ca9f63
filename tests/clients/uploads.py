"""Pictures that callers upload."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, ImageDraw

PAINTED = (1264, 848)
"""Size of ``painted``: what 3:2 is at 1K, so that a mask needs no resizing."""
PHOTO_LYING = (640, 480)
"""Pixels of ``photo`` as stored."""
PHOTO_UPRIGHT = (480, 640)
"""Pixels of ``photo`` as it is to be seen."""
MARKS = (400, 304)
"""Size of ``marks``."""
HOLE = (400, 250, 800, 600)
"""What the mask leaves transparent, as left, upper, right, lower."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """Files to upload."""

    painted: Path
    """A PNG."""
    photo: Path
    """A JPEG that lies on its side, with EXIF data that say so and name a camera."""
    marks: Path
    """A WebP that stands upright, with EXIF data that name a camera."""
    mask: Path
    """A PNG of the size of ``painted``, transparent where it is to be changed."""
    text: Path
    """No picture, though its name says so."""


def make_uploads(folder: Path) -> Uploads:
    """Write the files."""
    uploads = Uploads(*(folder / name for name in ("painted.png", "photo.jpeg", "marks.webp", "mask.png", "text.png")))
    _drawn(PAINTED, "darkgreen", "gold").save(uploads.painted)
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "A camera"
    _drawn(MARKS, "white", "black").save(uploads.marks, exif=exif)
    exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees clockwise
    _drawn(PHOTO_LYING, "navy", "white").save(uploads.photo, exif=exif)
    mask = Image.new("RGBA", PAINTED, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), HOLE)
    mask.save(uploads.mask)
    uploads.text.write_text("no picture at all\n" * 20)
    return uploads


def _drawn(size: tuple[int, int], ground: str, ink: str) -> Image.Image:
    picture = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(picture)
    for step in range(0, size[0], 40):
        draw.line([(step, 0), (size[0] - step, size[1])], fill=ink, width=3)
    return picture
