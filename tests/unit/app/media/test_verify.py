"""Verification: an image that is what was asked for passes, and each way of missing it fails by its own check."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import pillow_heif
import pytest
from PIL import Image

from app.media.verify import Check, MustDecodeError, NotDeliveredError, verify
from providers.blobs import Base64Blob, MemoryBlob
from providers.spec.blob import PIECE_BYTES
from providers.spec.request import ImageRequest, OutputFormat, Resolution
from tests.unit.app.media.pictures import picture
from tests.unit.app.public_models import NANO_BANANA_2, ONE_TIER

R512, R1K, R2K, R4K = Resolution


def asked(
    ratio: str | None = "1:1", tier: Resolution | None = R512, format: OutputFormat | None = None
) -> ImageRequest:
    pixels = NANO_BANANA_2.pixels[tier][ratio] if tier and ratio else None
    return ImageRequest(
        NANO_BANANA_2.name, "fox", aspect_ratio=ratio, resolution=tier, pixels=pixels, output_format=format
    )


def failed_check(data: bytes, request: ImageRequest) -> Check:
    with pytest.raises(NotDeliveredError) as missed:
        verify(MemoryBlob(data), request, NANO_BANANA_2)
    assert missed.value.message
    return missed.value.check


@pytest.mark.parametrize("format", OutputFormat)
def test_the_asked_image_is_delivered_with_what_it_really_is(format: OutputFormat) -> None:
    data = picture(format.value, 632, 424)
    blob = Base64Blob(base64.b64encode(data), "image/lies")
    delivered = verify(blob, asked("3:2", format=format), NANO_BANANA_2)
    assert delivered.blob is blob
    assert (delivered.format, delivered.width, delivered.height) == (format, 632, 424)
    assert delivered.length == len(data)


def test_the_vendors_own_format_passes_when_none_was_asked_for() -> None:
    assert verify(MemoryBlob(picture("JPEG", 512, 512)), asked(), NANO_BANANA_2).format is OutputFormat.JPEG


def test_broken_base64_is_unreadable() -> None:
    with pytest.raises(NotDeliveredError) as missed:
        verify(Base64Blob(base64.b64encode(picture("PNG", 512, 512))[:-3] + b"!!"), asked(), NANO_BANANA_2)
    assert missed.value.check is Check.READABLE


@pytest.mark.parametrize("data", [b"<html>502</html>", b"\x89PNG\r\n\x1a\n", b"\x00" * 1000])
def test_what_is_no_image_fails_by_its_header(data: bytes) -> None:
    assert failed_check(data, asked()) is Check.HEADER


def test_no_bytes_fail_as_empty() -> None:
    assert failed_check(b"", asked()) is Check.NOT_EMPTY


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_half_an_image_is_incomplete(format: str, share: float) -> None:
    data = picture(format, 512, 512)
    assert failed_check(data[: int(len(data) * share)], asked()) is Check.COMPLETE


def test_another_format_than_the_asked_one_passes_for_it_can_be_converted() -> None:
    delivered = verify(MemoryBlob(picture("PNG", 512, 512)), asked(format=OutputFormat.WEBP), NANO_BANANA_2)
    assert delivered.format is OutputFormat.PNG
    assert delivered.warnings == ()


def test_a_format_nobody_can_ask_for_fails() -> None:
    kept = io.BytesIO()
    pillow_heif.from_pillow(Image.open(io.BytesIO(picture("PNG", 512, 512)))).save(kept)
    assert failed_check(kept.getvalue(), asked()) is Check.FORMAT


@pytest.mark.parametrize("format", ["BMP", "TIFF"])
def test_bmp_and_tiff_fail_though_they_are_pictures(format: str) -> None:
    assert failed_check(picture(format, 512, 512), asked()) in (Check.COMPLETE, Check.FORMAT)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_flat_picture_of_the_right_size_fails(format: str) -> None:
    kept = io.BytesIO()
    Image.new("RGB", (512, 512)).save(kept, format)
    assert failed_check(kept.getvalue(), asked()) is Check.NOT_FLAT


def test_a_small_file_damaged_in_the_middle_fails_when_it_is_looked_at() -> None:
    data = picture("PNG", 512, 512)
    middle = len(data) // 2
    assert failed_check(data[:middle] + b"\xff" * 40 + data[middle + 40 :], asked()) is Check.DECODABLE


def test_the_size_asked_for_to_the_pixel_is_not_what_the_vendor_is_held_to() -> None:
    request = replace(asked("3:2"), exact_pixels=(600, 400), output_format=OutputFormat.JPEG)
    assert verify(MemoryBlob(picture("PNG", 632, 424)), request, NANO_BANANA_2).width == 632


@pytest.mark.parametrize("size", [(512, 512), (475, 512), (512, 475), (2048, 2048)])
def test_a_ratio_within_eight_per_cent_passes(size: tuple[int, int]) -> None:
    assert verify(MemoryBlob(picture("PNG", *size)), asked(), NANO_BANANA_2).width == size[0]


@pytest.mark.parametrize("size", [(474, 512), (512, 474), (688, 384)])
def test_a_ratio_beyond_eight_per_cent_fails(size: tuple[int, int]) -> None:
    assert failed_check(picture("PNG", *size), asked()) is Check.RATIO


def test_without_a_ratio_any_ratio_of_the_model_passes() -> None:
    for width, height in NANO_BANANA_2.pixels[R512].values():
        verify(MemoryBlob(picture("PNG", width, height)), asked(None), NANO_BANANA_2)


def test_a_ratio_without_a_table_entry_is_held_against_the_ratio_itself() -> None:
    request = ImageRequest(ONE_TIER.name, "fox", aspect_ratio="2:1", resolution=R1K)
    verify(MemoryBlob(picture("PNG", 1440, 720)), request, ONE_TIER)
    with pytest.raises(NotDeliveredError):
        verify(MemoryBlob(picture("PNG", 1024, 1024)), request, ONE_TIER)


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (asked(tier=R1K), (512, 512)),
        (asked(tier=R1K), (856, 856)),
        (asked("16:9", R2K), (1376, 768)),
        (asked(None, R1K), (512, 512)),
        (asked(None, R4K), (2048, 2048)),
        (asked("1:1", R512), (256, 256)),
    ],
)
def test_an_image_of_the_tier_below_fails_by_its_area(request_: ImageRequest, size: tuple[int, int]) -> None:
    assert failed_check(picture("PNG", *size), request_) is Check.AREA


def test_an_area_of_seven_tenths_is_enough() -> None:
    assert verify(MemoryBlob(picture("PNG", 857, 857)), asked(tier=R1K), NANO_BANANA_2).height == 857


def test_a_size_seen_at_a_vendor_passes_for_the_ratio_and_tier_it_was_seen_for() -> None:
    odd = picture("PNG", 792, 168)
    assert verify(MemoryBlob(odd), asked("21:9", R512), NANO_BANANA_2).height == 168
    assert verify(MemoryBlob(odd), asked(None, R512), NANO_BANANA_2).height == 168
    assert failed_check(odd, asked("1:1", R512)) is Check.RATIO
    assert failed_check(odd, asked("21:9", R1K)) is Check.RATIO


def test_a_request_without_a_tier_takes_any_size() -> None:
    assert verify(MemoryBlob(picture("PNG", 100, 90)), asked(None, None), NANO_BANANA_2).width == 100


def test_a_message_repeats_no_bytes_of_the_vendor() -> None:
    with pytest.raises(NotDeliveredError) as missed:
        verify(MemoryBlob(b"<html>secret prompt</html>"), asked(), NANO_BANANA_2)
    assert "secret" not in missed.value.message


class Counted(MemoryBlob):
    """Notices when it is read whole."""

    __slots__ = ("whole",)

    def read(self) -> bytes:
        raise AssertionError("held whole")


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_large_image_is_judged_by_its_ends_and_never_held_whole(format: str) -> None:
    kept = io.BytesIO()
    Image.effect_noise((1024, 1024), 90).convert("RGB").save(kept, format, quality=100)
    data = kept.getvalue()
    assert len(data) > 3 * PIECE_BYTES
    assert verify(Counted(data), asked(tier=R1K), NANO_BANANA_2).length == len(data)
    assert failed_check(data[:-20], asked(tier=R1K)) is Check.COMPLETE


def test_a_mark_that_only_both_ends_together_would_make_is_none() -> None:
    # The first piece ends with the first byte of JPEG's start of picture data, the last begins with its second.
    head = picture("JPEG", 512, 512)
    start = head.index(b"\xff\xda")
    filler = b"\xff\xfe" + (50_000).to_bytes(2, "big") + b"x" * 49_998
    body = head[:start] + filler * 4
    body = body[: PIECE_BYTES - 1] + b"\xff" + b"\xfe" + b"y" * (PIECE_BYTES - 1) + b"\xda" + b"z" * 2000 + b"\xff\xd9"
    assert failed_check(body, asked()) is Check.COMPLETE


def test_without_decoding_what_may_be_flat_is_left_to_whoever_decodes() -> None:
    with pytest.raises(MustDecodeError):
        verify(MemoryBlob(picture("WEBP", 512, 512)), asked(), NANO_BANANA_2, may_decode=False)
    noisy = io.BytesIO()
    Image.effect_noise((512, 512), 60).save(noisy, "PNG")
    verify(MemoryBlob(noisy.getvalue()), asked(), NANO_BANANA_2, may_decode=False)


@pytest.mark.parametrize("format", ["TIFF", "BMP", "GIF", "AVIF", "WEBP"])
def test_formats_whose_headers_may_be_long_to_read_are_not_read_at_a_glance(format: str) -> None:
    with pytest.raises(MustDecodeError):
        verify(MemoryBlob(picture(format, 512, 512)), asked(), NANO_BANANA_2, may_decode=False)
