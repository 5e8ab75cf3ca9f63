"""Pixels of an input image: its first frame, upright, in a mode that PNG can hold.

A decoded pixel takes up to 4 bytes, so a picture within ``MAX_PIXELS`` 256 MiB. While it is turned there are two of it;
while a progressive JPEG is read it takes 6 bytes a pixel more. Either way a worker thread needs at most 640 MiB
(measured on 64 megapixels: 520), and two of them 1.25 GiB, whatever is sent. A photograph of 12 megapixels takes 100 MB
and 1 s.
"""

from __future__ import annotations

import io
from typing import cast

from PIL import Image, ImageOps, PngImagePlugin

from app.media import directories
from app.media.sniff import ImageFormat, NotAnImageError

MAX_EDGE = 30_000
"""Pixels. Above what cameras and scanners make; JPEG ends at 65,535, and libraries that vendors use at 32,767."""
MAX_PIXELS = 64 * 1024 * 1024
"""8192 x 8192: more than the largest image any model makes (4096 x 4096), or takes in without making it smaller. Files
that pass undecoded are held to it too: the vendor decodes them, and so do we where they are shrunk or masked."""

PngImagePlugin.MAX_TEXT_CHUNK = 8 * 1024 * 1024
"""Bytes of a PNG's colour profile, unpacked. The library itself calls a file broken whose profile has more than 1 MiB;
those of printers have up to 3. For all of the process: the library asks for no other."""

directories.bound()

_READERS = {
    ImageFormat.PNG: "PNG",
    ImageFormat.JPEG: "JPEG",
    ImageFormat.WEBP: "WEBP",
    ImageFormat.GIF: "GIF",
    ImageFormat.AVIF: "AVIF",
    ImageFormat.BMP: "BMP",
    ImageFormat.TIFF: "TIFF",
}
_TIFF_CODECS = frozenset({"raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "jpeg", "packbits"})
"""What cameras, scanners and editors write. Fax codes are left out: their decoder prints a line to our standard error
for every damaged row, which a caller could fill our log with."""
_BMP_RUNS = (1, 2)
"""Compressions of BMP that are run lengths. The library unpacks them a pixel at a time in Python: 10 KB may take 17 s
of a worker thread (measured). Nobody has written such files for decades."""
_KEPT_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"})
_KEPT_INFO = ("icc_profile", "transparency")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets a picture upright, by the orientation EXIF states (CIPA DC-008, table 6)."""


def check_pixels(width: int, height: int) -> None:
    """Raises NotAnImageError when a picture of this size is not worked on."""
    if max(width, height) > MAX_EDGE or width * height > MAX_PIXELS:
        raise NotAnImageError(
            f"it has {width} x {height} pixels; at most {MAX_EDGE:,} along an edge and "
            f"{MAX_PIXELS // 1_000_000} megapixels are taken"
        )


def decoded(data: bytes, format: ImageFormat, orientation: int = 1) -> tuple[Image.Image, bool]:
    """The picture, and whether there were more frames than the first. Work for a worker thread.

    ``orientation`` is EXIF's for PNG, JPEG and WebP; the other formats tell their own. The picture keeps its colour
    profile and its transparent colour in ``info``, and nothing else. Raises NotAnImageError and nothing else but
    MemoryError, whatever the bytes; files that are cut off are among what it refuses.
    """
    try:
        image = _opened(data, format)
        check_pixels(*image.size)
        # Never n_frames: counting follows each frame to the next, and compares each directory of a TIFF with all before
        # it, which takes hours for a million of them in 50 MB.
        frames = getattr(image, "is_animated", False)
        image.load()
        if format is ImageFormat.AVIF:
            image = ImageOps.exif_transpose(image)
        if (turn := _TURNS.get(orientation)) is not None:
            image = image.transpose(turn)
        image = _in_kept_mode(image)
    except (MemoryError, NotAnImageError):
        raise
    except Exception as wrong:
        # Decoders answer hostile bytes with any error there is: OSError, SyntaxError, IndexError, struct.error ...
        raise NotAnImageError(f"the {format} file is damaged") from wrong
    image.info = {name: image.info[name] for name in _KEPT_INFO if image.info.get(name) not in (None, b"")}
    return image, frames


def _opened(data: bytes, format: ImageFormat) -> Image.Image:
    if format is ImageFormat.HEIC:
        import pillow_heif  # here: 4 MB that a gateway nobody sends such files to need not hold

        file = pillow_heif.open_heif(data)
        check_pixels(*file.size)
        return file.to_pillow()
    if format is ImageFormat.TIFF and directories.is_strange(data):
        raise NotAnImageError("its directory has entries that no TIFF has")
    image = Image.open(io.BytesIO(data), formats=(_READERS[format],))
    if format is ImageFormat.BMP and image.info.get("compression") in _BMP_RUNS:
        raise NotAnImageError("it is a BMP of run lengths; uncompressed ones are taken")
    if format is ImageFormat.TIFF and image.info.get("compression") not in _TIFF_CODECS:
        raise NotAnImageError("it is a TIFF of an unusual compression; LZW, Deflate, JPEG, PackBits and none are taken")
    return image


def _in_kept_mode(image: Image.Image) -> Image.Image:
    if image.mode in _KEPT_MODES and (image.mode != "CMYK" or image.format in ("JPEG", None)):
        return image
    if image.mode[0] in "IF":
        return eight_bit(image)
    profile_fits = image.mode in ("PA", "RGBX", "RGBa")
    turned = image.convert("RGBA" if image.mode in ("PA", "RGBa", "La") else "RGB")
    if not profile_fits:
        turned.info.pop("icc_profile", None)
    return turned


def eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits or more as grey of 8; the library itself would cut off what is above 255."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda level: level * (1 / 257) + 0.5).convert("L")
    low, high = cast("tuple[float, float]", image.getextrema())
    if low >= 0 and high <= 255:
        return image.convert("L")
    scale = 255 / max(high - low, 1e-9)
    return image.convert("F").point(lambda level: level * scale - low * scale).convert("L")


def has_transparency(image: Image.Image) -> bool:
    """Whether the picture has an alpha channel, or a transparent colour."""
    return image.mode in ("RGBA", "LA") or "transparency" in image.info
