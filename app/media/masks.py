"""Masks for providers that take none: the mask goes along as a guide picture, and is enforced on the answer.

What the provider paints outside the mask is thrown away; the caller's own pixels stand there, bit for bit where nothing
had to be resized. Colours are compared as numbers: answers have no profile or sRGB, and what a provider makes of the
profile of an input is not known, so neither side is converted.

Memory: ``composite`` holds three pictures of 4 bytes a pixel, the answer among them, and the mask of 1 byte.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from PIL import Image

from app.media.encode import PNG_LEVEL
from app.media.framing import Box, Frame, Pixels, alike, bounded, covering, framed
from app.media.plain import MAX_EDGE, MAX_PIXELS, decoded
from app.media.sniff import HEAD_BYTES, ImageFormat, sniff
from providers.blobs import MemoryBlob
from providers.spec.blob import Blob
from providers.spec.result import Warning

GUIDE_SENTENCE = (
    "The last image is not content but a mask over the first image: change only the part that is white there, leave"
    " everything that is black as it is, and keep the framing of the first image."
)
"""Added to the caller's prompt; its length counts towards a provider's limit."""
MAX_PADDED_PIXELS = 4096 * 4096
"""A padded picture is sent no larger than this, what the largest models paint themselves."""
MAX_PADDED_EDGE = 8192
"""Pixels; extreme ratios pad a great deal."""

_PADDING = (128, 128, 128)
"""Mid grey: neither looks like content nor like an edge to be continued."""
_PADDED_JPEG_QUALITY = 95
_GUIDE_PNG_LEVEL = 6
"""A guide has two colours and compresses in no time at any level."""


@dataclass(frozen=True, slots=True)
class Emulation:
    """What is sent in place of images, mask and prompt, and how the answer is put together. Made once per request."""

    images: tuple[Blob, ...]
    """The first image, padded where that keeps its geometry; the other images; last the guide."""
    prompt: str = field(repr=False)
    warning: Warning
    canvas: Pixels
    """Size of what ``composite`` returns."""
    original: Blob
    mask: Blob
    frame: Frame
    """The first image as sent, and where the caller's lies in it."""

    def composite(self, answer: Image.Image) -> Image.Image:
        """The caller's picture with ``answer`` (RGB or RGBA) inside the mask; RGBA where either is transparent.

        Where the mask is opaque the caller's pixel stands, its alpha included; where it is clear the answer's; between
        them they are mixed. The picture's ``info`` has the caller's ICC profile, if any, and nothing else.
        """
        original = decoded(self.original.read())
        profile = original.info.get("icc_profile")
        part = covering(original.size, self.canvas)
        painted = _part(answer, self._in_answer(answer.size, original.size, part), self.canvas)
        original = _part(original, part, self.canvas)
        # No sharper filter here: its ringing would mark pixels far from the edge as partly editable.
        kept = _part(_alpha(self.mask), part, self.canvas, Image.Resampling.BILINEAR)
        if painted is answer:
            painted = answer.copy()
        if painted.mode == "RGBA" and painted.getchannel("A").getextrema() == (255, 255):
            painted = painted.convert("RGB")
        if original.mode == painted.mode == "RGB":
            painted.paste(original, mask=kept)
        else:
            painted = _mixed(original.convert("RGBA"), painted.convert("RGBA"), kept)
        painted.info = {"icc_profile": profile} if profile else {}
        return painted

    def _in_answer(self, answer: Pixels, original: Pixels, part: Box) -> Box:
        """Where in the answer ``part`` of the original lies.

        An answer of about the frame's ratio shows all of it, a little stretched; of one of another ratio the middle is
        taken, so that nothing is distorted.
        """
        width, height = self.frame.size
        same = alike(answer[0] / answer[1], width / height)
        whole = Box(0, 0, *answer) if same else covering(answer, self.frame.size)
        left, top, right, bottom = self.frame.inner
        across, down = whole.width / width, whole.height / height
        wide, high = across * (right - left) / original[0], down * (bottom - top) / original[1]
        inner = Box(part.left * wide, part.top * high, part.right * wide, part.bottom * high)
        offset = Box(left * across, top * down, right * across, bottom * down).within(whole)
        return inner.within(offset)


def emulated(
    images: tuple[Blob, ...], mask: Blob, prompt: str, *, ratio: str | None, canvas: Pixels | None
) -> Emulation:
    """What to send a provider without masks instead of ``images``, ``mask`` and ``prompt``. Work for a worker thread.

    ``mask`` is a PNG of the first image's size whose clear pixels are to be changed. ``ratio`` (``"W:H"``) is the one
    the provider is asked for; None: it follows the first image. ``canvas``: size of the result, which shows the middle
    of the picture where it has another ratio; None: the first image's own, made smaller only where that is beyond what
    is worked on.

    Raises ValueError when the mask has another size; UndecodableError, TooLargeError and BlobDamagedError for images
    that nobody checked.
    """
    first = decoded(images[0].read())
    alpha = _alpha(mask)
    if alpha.size != first.size:
        raise ValueError(f"the mask is {alpha.size}, the first image {first.size}")
    frame = framed(first.size, ratio, area=MAX_PADDED_PIXELS, edge=MAX_PADDED_EDGE)
    sent = images[0] if not frame.padded else _padded(first, frame, images[0])
    return Emulation(
        images=(sent, *images[1:], _guide(alpha, frame)),
        prompt=f"{prompt}\n\n{GUIDE_SENTENCE}",
        warning=Warning(
            "mask",
            "the mask was emulated: the provider takes none, so it was sent as a guide picture, and everything outside"
            " it was put back from your image",
        ),
        canvas=canvas or bounded(first.size, area=MAX_PIXELS, edge=MAX_EDGE),
        original=images[0],
        mask=mask,
        frame=frame,
    )


def _alpha(mask: Blob) -> Image.Image:
    picture = decoded(mask.read())
    return picture.getchannel("A") if picture.mode == "RGBA" else Image.new("L", picture.size, 255)


def _padded(first: Image.Image, frame: Frame, source: Blob) -> Blob:
    left, top, right, bottom = frame.inner
    padded = Image.new(first.mode, frame.size, _PADDING if first.mode == "RGB" else (*_PADDING, 255))
    padded.paste(_part(first, Box(0, 0, *first.size), (right - left, bottom - top)), (left, top))
    lossless = first.mode == "RGBA" or sniff(next(source.pieces(), b"")[:HEAD_BYTES]) is ImageFormat.PNG
    out = io.BytesIO()
    profile = first.info.get("icc_profile", b"")
    if lossless:
        padded.save(out, "PNG", compress_level=PNG_LEVEL, icc_profile=profile)
        return MemoryBlob(out.getvalue(), "image/png")
    padded.save(out, "JPEG", quality=_PADDED_JPEG_QUALITY, subsampling=0, icc_profile=profile)
    return MemoryBlob(out.getvalue(), "image/jpeg")


def _guide(alpha: Image.Image, frame: Frame) -> Blob:
    left, top, right, bottom = frame.inner
    white = alpha.point(lambda level: 255 if level < 255 else 0)
    white = _part(white, Box(0, 0, *alpha.size), (right - left, bottom - top), Image.Resampling.NEAREST)
    guide = Image.new("RGB", frame.size)
    guide.paste((255, 255, 255), (left, top, right, bottom), white)
    out = io.BytesIO()
    guide.save(out, "PNG", compress_level=_GUIDE_PNG_LEVEL)
    return MemoryBlob(out.getvalue(), "image/png")


def _part(
    picture: Image.Image, box: Box, size: Pixels, filter: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """``box`` of the picture at ``size``; the picture itself where that is all of it as it is."""
    if size == picture.size and box == (0, 0, *size):
        return picture
    return picture.resize(size, filter, box=box)


def _mixed(original: Image.Image, painted: Image.Image, kept: Image.Image) -> Image.Image:
    """Both RGBA; in ``painted``. Mixed with colours weighted by their alpha, or clear pixels' colours would show."""
    if any(kept.histogram()[1:255]):
        mixed = Image.composite(original.convert("RGBa"), painted.convert("RGBa"), kept).convert("RGBA")
        mixed.paste(painted, mask=kept.point(lambda level: 255 if level == 0 else 0))
        painted = mixed
    painted.paste(original, mask=kept.point(lambda level: 255 if level == 255 else 0))
    return painted
