"""Real pictures: a landscape in the vendor's colours, the prompt on it, input images visibly edited."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

from simulator.ballast import weighted
from simulator.caption import draw_caption
from simulator.pixels import Size
from simulator.shelf import Shelf
from simulator.vendors import LOOKS, Colour, Vendor

MAIN_EDGE = 768
"""Input images are kept no larger than this (the first) ..."""
OTHER_EDGE = 192
"""... and this (the others), in pixels of the longer edge; they are only shown, not judged."""
MAX_INPUT_PIXELS = 120_000_000
CANVAS_BYTES = 96_000_000
ENCODED_BYTES = 64_000_000


class Format(StrEnum):
    """An image format, by its media type."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"

    @property
    def extension(self) -> str:
        """The usual end of a file name, without the dot."""
        return {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}[self.value]


class NotAPicture(Exception):
    """Bytes given as an input image cannot be read as one."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """An input image, reduced."""

    size: Size
    """What it measured when it arrived."""
    data: bytes
    """A JPEG of it: a tenth of its pixels' weight, while it waits to be painted."""
    format: str = ""
    """Format by its content, in lower case, for example ``jpeg``."""
    length: int = 0
    """Bytes it had when it arrived."""
    exif: bool = False
    """Whether it came with EXIF data."""

    @property
    def picture(self) -> Image.Image:
        """Its pixels, decoded."""
        return Image.open(io.BytesIO(self.data))

    @property
    def weight(self) -> int:
        """Bytes it holds in memory."""
        return len(self.data)


def read_reference(data: bytes, *, first: bool) -> Reference:
    """Decode an input image. NotAPicture when it is none, or larger than anyone accepts."""
    edge = MAIN_EDGE if first else OTHER_EDGE
    try:
        with Image.open(io.BytesIO(data)) as picture:
            size, format_, exif = picture.size, (picture.format or "").lower(), bool(picture.getexif())
            if size[0] * size[1] > MAX_INPUT_PIXELS:
                raise NotAPicture
            picture.draft("RGB", (edge, edge))
            small = picture.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotAPicture from error
    small.thumbnail((edge, edge))
    ground = Image.new("RGB", small.size, (255, 255, 255))
    ground.paste(small, mask=small.getchannel("A"))
    out = io.BytesIO()
    ground.save(out, "JPEG", quality=90)
    return Reference(size, out.getvalue(), format_, len(data), exif)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a picture depends on. The same recipe always gives the same bytes."""

    vendor: Vendor
    model: str
    size: Size
    format: Format
    prompt: str
    references: tuple[Reference, ...] = ()
    number: int = 1
    """Which of several images of one request this is, from 1."""
    black: bool = False
    """A filtered picture: nothing but black."""
    quality: int = 85
    """Of JPEG and WebP, 1 to 100."""
    mark: str = ""
    """A short id that is drawn on the picture, so that two pictures of one prompt differ."""

    @property
    def weight(self) -> int:
        """Bytes it holds in memory while it waits to be painted."""
        return sum(reference.weight for reference in self.references) + len(self.prompt)


class Painter:
    """Paints recipes; slow work for a worker thread. Keeps backgrounds and finished pictures within bounds."""

    def __init__(self, bytes_per_pixel: float = 0.0) -> None:
        """``bytes_per_pixel`` is what files weigh at least, where their format can carry ballast."""
        self._bytes_per_pixel = bytes_per_pixel
        self._lock = threading.Lock()
        self._canvases: Shelf[Image.Image] = Shelf(CANVAS_BYTES)
        self._finished: Shelf[bytes] = Shelf(ENCODED_BYTES)

    def paint(self, recipe: Recipe) -> bytes:
        """The encoded picture."""
        with self._lock:
            known = self._finished.get(recipe)
        if known is not None:
            return known
        data = weighted(_encode(self._picture(recipe), recipe), self._bytes_per_pixel * recipe.size[0] * recipe.size[1])
        with self._lock:
            self._finished.put(recipe, data, len(data) + recipe.weight)
        return data

    def _picture(self, recipe: Recipe) -> Image.Image:
        if recipe.black:
            return Image.new("RGB", recipe.size)
        picture = self._background(recipe.vendor, recipe.size)
        if recipe.references:
            _lay_references(picture, recipe)
        look = LOOKS[recipe.vendor]
        title = f"{look.title} · edited" if recipe.references else look.title
        draw_caption(picture, title, recipe.prompt, _footnote(recipe), look)
        return picture

    def _background(self, vendor: Vendor, size: Size) -> Image.Image:
        key = (vendor, size)
        with self._lock:
            canvas = self._canvases.get(key)
        if canvas is None:
            canvas = _landscape(vendor, size)
            with self._lock:
                self._canvases.put(key, canvas, size[0] * size[1] * 3)
        return canvas.copy()


def _footnote(recipe: Recipe) -> str:
    parts = [recipe.model, f"{recipe.size[0]} x {recipe.size[1]}"]
    if recipe.references:
        parts.append(f"edited from {len(recipe.references)} image{'s' if len(recipe.references) > 1 else ''}")
    if recipe.number > 1:
        parts.append(f"no. {recipe.number}")
    if recipe.mark:
        parts.append(f"id {recipe.mark}")
    return "  ·  ".join(parts)


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _landscape(vendor: Vendor, size: Size) -> Image.Image:
    """Sky, sun and three rows of hills: rows and areas of one colour each, which compress fast at any size."""
    look = LOOKS[vendor]
    width, height = size
    column = Image.new("RGB", (1, height))
    for row in range(height):
        column.putpixel((0, row), _mixed(look.sky_top, look.sky_bottom, min(1.0, row / (height * 0.8))))
    canvas = column.resize(size, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(canvas)
    short = min(size)
    middle = (width * 0.72, height * 0.3)
    for radius, share in ((0.26, 0.18), (0.21, 0.4), (0.16, 1.0)):
        sky = canvas.getpixel((0, round(middle[1])))
        glow = _mixed(sky if isinstance(sky, tuple) else look.sky_top, look.sun, share)  # type: ignore[arg-type]
        pen.circle(middle, short * radius, fill=glow)
    for layer, colour in enumerate(look.hills):
        base = height * (0.62 + 0.12 * layer)
        swing = min(height * 0.09, width * 0.12)
        span = max(short * (0.9 - 0.2 * layer), 1.0)
        left = -span * (0.3 + 0.35 * layer)
        points = [(0.0, float(height))]
        step = max(width // 96, 2)
        for x in range(0, width + step, step):
            phase = ((x - left) / span) % 2.0
            rise = 1.0 - abs(phase - 1.0)
            smooth = rise * rise * (3.0 - 2.0 * rise)
            points.append((float(x), base - swing * smooth))
        points.append((float(width), float(height)))
        pen.polygon(points, fill=colour)
    return canvas


def _lay_references(picture: Image.Image, recipe: Recipe) -> None:
    """The first input fills the picture in a frame, washed in the vendor's colour; the others are thumbnails."""
    look = LOOKS[recipe.vendor]
    width, height = picture.size
    frame = max(min(picture.size) // 28, 4)
    inner = (width - 2 * frame, height - 2 * frame)
    first = ImageOps.fit(recipe.references[0].picture, inner, Image.Resampling.BILINEAR)
    wash = Image.new("RGB", inner, look.hills[0])
    picture.paste(look.sky_top, (0, 0, width, height))
    picture.paste(Image.blend(first, wash, 0.3), (frame, frame))
    others = recipe.references[1:]
    if not others:
        return
    edge = max(min(width // (len(others) + 1), min(picture.size) // 6), 8)
    gap = max(edge // 10, 1)
    for place, reference in enumerate(others):
        thumb = ImageOps.fit(reference.picture, (edge - gap, edge - gap), Image.Resampling.BILINEAR)
        thumb = ImageOps.expand(thumb, border=max(gap // 2, 1), fill=(255, 255, 255))
        picture.paste(thumb, (width - frame - gap - edge * (place + 1), frame + gap))


def _encode(picture: Image.Image, recipe: Recipe) -> bytes:
    out = io.BytesIO()
    if recipe.format is Format.PNG:
        picture.save(out, "PNG", compress_level=1)
    elif recipe.format is Format.JPEG:
        picture.save(out, "JPEG", quality=recipe.quality)
    else:
        picture.save(out, "WEBP", quality=recipe.quality, method=0)
    return out.getvalue()
