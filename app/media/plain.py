"""File bytes as plain pixels: RGB or RGBA, upright, 8 bits a channel, within bounds, with what the file says of itself.

A decoded picture takes 4 bytes a pixel whatever its mode (the library pads RGB), so at ``MAX_PIXELS`` 320 MB.
"""

from __future__ import annotations

import io

from PIL import ExifTags, Image, ImageCms, ImageOps

from app.media.decoding import MAX_EDGE as MAX_INPUT_EDGE
from app.media.decoding import eight_bit

MAX_EDGE = 16_384
"""Pixels, of what is delivered. Four times the edge of the largest square that models paint; of their other ratios only
1:8 comes near (12,288)."""
MAX_PIXELS = 80_000_000
"""Pixels. Nearly five 4K pictures, and below the 89 million at which the library begins to warn."""

_READERS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_COLOUR_SPACE = slice(16, 20)
"""Where a profile names the colours it is for (ICC.1, table 17)."""


class UndecodableError(Exception):
    """The bytes cannot be decoded as the image they claim to be. The message is ours and quotes no bytes."""


class TooLargeError(Exception):
    """The picture is larger than is worked on here. The message names its size and the limits."""


def check_bounds(width: int, height: int, *, edge: int = MAX_EDGE) -> None:
    """Raises TooLargeError when a picture of this size is not worked on."""
    if max(width, height) > edge or width * height > MAX_PIXELS:
        raise TooLargeError(
            f"a picture of {width}x{height} is larger than {edge:,} pixels along an edge or"
            f" {MAX_PIXELS // 1_000_000} megapixels"
        )


def opened(data: bytes) -> Image.Image:
    """The picture behind ``data``, its header read and nothing decoded.

    Its edges may be those of an input image. Only PNG, JPEG, WebP, GIF and AVIF are tried. Raises UndecodableError and
    TooLargeError.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=_READERS)
    except MemoryError:
        raise
    except Exception as wrong:
        # Damaged files make the readers raise whatever their parsing runs into: OSError, SyntaxError, struct.error...
        raise UndecodableError("the image data cannot be opened") from wrong
    check_bounds(*image.size, edge=MAX_INPUT_EDGE)
    return image


def loaded(image: Image.Image) -> Image.Image:
    """``image`` with its pixels decoded. Raises UndecodableError."""
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as wrong:
        raise UndecodableError("the image data cannot be decoded") from wrong
    return image


def decoded(data: bytes) -> Image.Image:
    """The picture as RGB, or RGBA where it has transparency: upright, the first frame, 8 bits a channel.

    Its ``info`` keeps the ICC profile only where that fits RGB; other colours with a profile are converted to sRGB.
    Raises UndecodableError and TooLargeError.
    """
    image = _upright(loaded(opened(data)))
    try:
        return _plain(image)
    except MemoryError:
        raise
    except Exception as wrong:
        raise UndecodableError("the image data cannot be read as a picture") from wrong


def _upright(image: Image.Image) -> Image.Image:
    try:
        # Parsed and written apart from the picture, which remembers damaged EXIF as read and says nothing again.
        stated = Image.Exif()
        stated.load(image.info.get("exif", b""))
        stated.tobytes()
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return ImageOps.exif_transpose(image) if turned else image
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - damaged EXIF says nothing about the pixels, and is carried no further
        image.info.pop("exif", None)
        return image


def in_srgb(image: Image.Image) -> Image.Image:
    """``image``, RGB or RGBA, its colours converted from its ICC profile to sRGB; as it is without a usable one."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    converted = _by_profile(image, profile, image.mode) or image.copy()
    converted.info.pop("icc_profile", None)
    return converted


def _plain(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile") or b""
    if image.mode.startswith("I"):
        image = eight_bit(image)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    fits = profile[_COLOUR_SPACE] == b"RGB "
    plain = None
    if profile and not fits and image.mode in ("L", "CMYK"):
        plain = _by_profile(image, profile, "RGB")
    if plain is None:
        plain = image if image.mode == mode else image.convert(mode)
    if not fits:
        plain.info.pop("icc_profile", None)
    return plain


def _by_profile(image: Image.Image, profile: bytes, mode: str) -> Image.Image | None:
    try:
        converted = ImageCms.profileToProfile(image, io.BytesIO(profile), io.BytesIO(_SRGB), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # nor does a damaged profile
    if converted is not None:
        converted.info = dict(image.info)
    return converted
