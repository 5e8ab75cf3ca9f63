"""Whether delivered bytes are the image that was asked for. Work for a worker thread, but a glance at a small file, or
at one that was looked at while it came.

Looked at are both ends of a file, and that all of it can be read; all at once is held, and decoded, only what has so
few bytes that it may be one flat colour, or a format whose ends do not tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.catalog.models import Pixels, PublicModel
from app.media.flat import is_flat_decoded, is_plainly_not_flat, may_be_flat
from app.media.plain import TooLargeError, UndecodableError
from app.media.sniff import (
    HEAD_BYTES,
    TRAILING_BYTES,
    ImageFormat,
    Measured,
    NotAnImageError,
    is_complete,
    measure,
    sniff,
)
from providers.spec.blob import Blob, BlobDamagedError
from providers.spec.request import ImageRequest, OutputFormat
from providers.spec.result import Warning
from providers.spec.unguarded import unguarded

RATIO_TOLERANCE = 0.08
"""Largest relative difference between the asked and the delivered ratio. Vendors drift by some per cent (1408x768 was
seen for 16:9). Of the ratios models have, only 3:4 and 4:5 (and their reverses) lie closer: 6.7 %."""
MIN_AREA = 0.7
"""Least delivered area, as a share of what the tier should give. Vendors' tables vary by some per cent within a tier;
the tier below has a quarter of the area."""
GLANCE_BYTES = 2 * 1024 * 1024
"""Bytes that may be read in the event loop for a look without decoding: about a millisecond, mostly base64."""
_AT_A_GLANCE = frozenset({ImageFormat.PNG, ImageFormat.JPEG})
"""Formats whose headers are read in no time, however hostile."""
_TOLD_BY_ENDS = frozenset({ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.GIF})
"""Formats that begin with what they are and end with a mark."""

_DELIVERABLE: Mapping[str, OutputFormat] = {format.value: format for format in OutputFormat}


class Check(StrEnum):
    """What a delivered image is checked for, in this order; the last two are found out when it is decoded."""

    READABLE = "readable"
    NOT_EMPTY = "not_empty"
    HEADER = "header"
    COMPLETE = "complete"
    FORMAT = "format"
    """One that can be delivered; which one does not matter, for it can be converted."""
    RATIO = "ratio"
    AREA = "area"
    NOT_FLAT = "not_flat"
    BOUNDS = "bounds"
    """Small enough to be worked on."""
    DECODABLE = "decodable"


class NotDeliveredError(Exception):
    """What came is not the image that was asked for. ``message`` is ours and safe for the caller."""

    def __init__(self, check: Check, message: str) -> None:
        super().__init__(message)
        self.check = check
        self.message = message


class MustDecodeError(Exception):
    """The picture has to be decoded to be judged, which is work for a worker thread."""


@unguarded
@dataclass(frozen=True, slots=True)
class Delivered:
    """A verified image: its bytes by reference, what they really are, and how many."""

    blob: Blob
    format: OutputFormat
    width: int
    height: int
    length: int
    """Bytes."""
    warnings: tuple[Warning, ...] = ()
    """What was done to it that the caller should know of."""


def verify(
    blob: Blob, request: ImageRequest, model: PublicModel, *, may_decode: bool = True, may_read: int = GLANCE_BYTES
) -> Delivered:
    """Look at the bytes behind ``blob``. Raises NotDeliveredError with the first check that fails; without
    ``may_decode`` MustDecodeError, and nothing else, also where more than ``may_read`` bytes would have to be read that
    nobody looked at yet.

    ``model`` must be the one ``request`` names; its tables say how large an image should be.
    """
    try:
        most = None if may_decode else may_read
        measured, length, whole = _seen(blob, most)
        format = _format(measured)
        width, height = pixels = measured.width, measured.height
        if pixels != request.pixels and not _is_accepted(pixels, request, model):
            _check_ratio(pixels, request)
            _check_area(pixels, request, model)
        if may_be_flat(length, width, height):
            if whole is None:
                _may_be_read(length, most)
            data = whole or blob.read()
            if not is_plainly_not_flat(data):
                if not may_decode:
                    raise MustDecodeError
                _check_not_flat(data, measured)
    except BlobDamagedError:
        raise NotDeliveredError(Check.READABLE, "the image data cannot be decoded") from None
    return Delivered(blob, format, width, height, length)


def _may_be_read(length: int, most: int | None) -> None:
    if most is not None and length > most:
        raise MustDecodeError


def _seen(blob: Blob, most: int | None) -> tuple[Measured, int, bytes | None]:
    """Look at all of a blob, unless that was done while it came: what it is as far as can be told without decoding it,
    its length, and all its bytes where they had to be held. Raises as ``verify`` and BlobDamagedError.

    What is no usable format, or one whose headers may be long to read, is work for a worker thread like decoding.
    """
    ends = blob.ends
    if ends is None:
        head, tail, length = _ends_read(blob, most)
    else:
        head, tail, length = ends.head, ends.tail, blob.length
    if not length:
        raise NotDeliveredError(Check.NOT_EMPTY, "the image data is empty")
    if ends is not None:
        _may_be_glanced_at(head, most)
    if length > len(head):
        measured = _measured_by_head(head)
        # The byte between them keeps both from making a mark together.
        if measured is not None and is_complete(head + b"\0" + tail, measured.format):
            return measured, length, None
        _may_be_read(length, most)
    data = head if length == len(head) else blob.read()
    try:
        measured = measure(data)
    except NotAnImageError as wrong:
        raise NotDeliveredError(Check.HEADER, f"the image data is not usable: {wrong}") from None
    if not is_complete(data, measured.format):
        raise NotDeliveredError(Check.COMPLETE, f"the {measured.format} data ends before the image does")
    return measured, length, data


def _may_be_glanced_at(head: bytes, most: int | None) -> None:
    if most is not None and sniff(head[:HEAD_BYTES]) not in _AT_A_GLANCE:
        raise MustDecodeError


def _ends_read(blob: Blob, most: int | None) -> tuple[bytes, bytes, int]:
    """Both ends of a blob and its length, all of it having been read, a piece at a time. Raises BlobDamagedError, and
    MustDecodeError before it reads on in what may not be glanced at."""
    head = tail = b""
    length = 0
    for piece in blob.pieces():
        if not head:
            head = piece
            _may_be_glanced_at(head, most)
        tail = piece if len(piece) >= TRAILING_BYTES else tail + piece
        length += len(piece)
    return head, tail, length


def _measured_by_head(head: bytes) -> Measured | None:
    """None: the head is not enough, or not of a format that is told by its ends."""
    try:
        measured = measure(head)
    except NotAnImageError:
        return None
    return measured if measured.format in _TOLD_BY_ENDS else None


def _format(measured: Measured) -> OutputFormat:
    format = _DELIVERABLE.get(measured.format)
    if format is None:
        raise NotDeliveredError(Check.FORMAT, f"a {measured.format} image was delivered")
    return format


def _is_accepted(pixels: Pixels, request: ImageRequest, model: PublicModel) -> bool:
    """Whether vendors were seen to give this size for what was asked, though it is not the table's."""
    accepted = None if request.resolution is None else model.accepted_pixels.get(request.resolution)
    if not accepted:
        return False
    if request.aspect_ratio is None:
        return pixels in accepted.values()
    return accepted.get(request.aspect_ratio) == pixels


def _check_ratio(pixels: Pixels, request: ImageRequest) -> None:
    if request.pixels is not None:
        width, height = request.pixels
        asked = width / height
    elif request.aspect_ratio is not None:
        across, _, down = request.aspect_ratio.partition(":")
        asked = float(across) / float(down)
    else:
        return
    delivered = pixels[0] / pixels[1]
    if max(delivered / asked, asked / delivered) > 1 + RATIO_TOLERANCE:
        wanted = request.aspect_ratio or f"{width}x{height}"
        raise NotDeliveredError(Check.RATIO, f"an image of {_size(pixels)} was delivered instead of {wanted}")


def _check_area(pixels: Pixels, request: ImageRequest, model: PublicModel) -> None:
    expected = _expected_area(request, model)
    if pixels[0] * pixels[1] < MIN_AREA * expected:
        tier = f" for {request.resolution}" if request.resolution else ""
        raise NotDeliveredError(Check.AREA, f"an image of only {_size(pixels)} was delivered{tier}")


def _expected_area(request: ImageRequest, model: PublicModel) -> int:
    """Pixels the tier gives for the asked ratio; without a ratio, the fewest it gives for any; without a tier, 0."""
    if request.pixels is not None:
        return request.pixels[0] * request.pixels[1]
    if request.resolution is None:
        return 0
    table = model.pixels.get(request.resolution, {})
    if request.aspect_ratio is not None and request.aspect_ratio in table:
        width, height = table[request.aspect_ratio]
        return width * height
    return min((width * height for width, height in table.values()), default=request.resolution.edge**2)


def _check_not_flat(data: bytes, measured: Measured) -> None:
    try:
        flat = is_flat_decoded(data, measured.width, measured.height)
    except TooLargeError:
        return  # nobody asked for a decoded one yet
    except UndecodableError as wrong:
        raise NotDeliveredError(Check.DECODABLE, f"the image is damaged: {wrong}") from None
    if flat:
        raise NotDeliveredError(Check.NOT_FLAT, "an image of one flat colour was delivered")


def _size(pixels: Pixels) -> str:
    return f"{pixels[0]}x{pixels[1]}"
