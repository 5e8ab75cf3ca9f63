"""Provenance: manifests are seen in every container, metadata is carried where it fits, and no loss is silent."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.media.provenance import JPEG_XMP_BYTES, Carried, carried, fitting, has_c2pa, losses
from providers.spec.request import OutputFormat
from tests.unit.app.media.manifests import with_c2pa
from tests.unit.app.media.pictures import VARIANTS, picture

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">trainedAlgorithmicMedia</x:xmpmeta>'


@pytest.mark.parametrize("format", OutputFormat)
def test_a_manifest_is_seen_in_every_container_and_the_picture_still_opens(format: OutputFormat) -> None:
    bare = picture(format.value, 64, 48)
    sealed = with_c2pa(bare, format)
    assert not has_c2pa(bare)
    assert has_c2pa(sealed)
    with Image.open(io.BytesIO(sealed)) as image:
        image.load()
        assert image.size == (64, 48)


@pytest.mark.parametrize("variant", VARIANTS)
def test_ordinary_files_have_none(variant: str) -> None:
    format, options = VARIANTS[variant]
    assert not has_c2pa(picture(format, 64, 48, **options))


def test_the_word_alone_is_no_manifest() -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(picture("JPEG", 64, 48))).save(out, "JPEG", comment=b"jumb c2pa caBX JP")
    assert not has_c2pa(out.getvalue())
    data = picture("PNG", 64, 48)
    body = b"Comment\0caBX"
    text = struct.pack(">I4s", len(body), b"tEXt") + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))
    assert not has_c2pa(data[:33] + text + data[33:])


def test_a_jumbf_box_of_somebody_else_is_no_manifest() -> None:
    data = picture("JPEG", 64, 48)
    body = b"JP\x00\x01\x00\x00\x00\x01\x00\x00\x00\x20jumb\x00\x00\x00\x18jumdother"
    assert not has_c2pa(data[:2] + b"\xff\xeb" + struct.pack(">H", len(body) + 2) + body + data[2:])


@given(st.sampled_from(list(OutputFormat)), st.integers(0, 2**31), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_never_raise(format: OutputFormat, at: int, noise: bytes) -> None:
    data = with_c2pa(picture(format.value, 64, 48), format)
    at %= len(data)
    has_c2pa(data[:at] + noise + data[at + len(noise) :])
    has_c2pa(data[:at])


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_what_a_picture_says_is_read_from_every_format(format: str) -> None:
    exif = Image.Exif()
    exif[0x0131] = "painter"
    info: dict[str, object] = {"xmp": XMP, "icc_profile": b"profile", "exif": exif.tobytes()}
    out = io.BytesIO()
    if format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP)
        info["pnginfo"] = text
    Image.new("RGB", (8, 8)).save(out, format, **info)
    image = Image.open(io.BytesIO(out.getvalue()))
    image.load()
    kept = carried(image)
    assert (kept.xmp, kept.icc) == (XMP, b"profile")
    assert kept.exif.startswith(b"Exif\x00\x00")
    assert b"painter" in kept.exif


def test_gif_has_a_place_for_xmp_alone_and_jpeg_for_one_segment_of_it() -> None:
    kept = Carried(XMP, b"exif", b"icc")
    assert fitting(kept, OutputFormat.GIF) == Carried(xmp=XMP)
    assert fitting(kept, OutputFormat.JPEG) == kept
    long = Carried(b"x" * (JPEG_XMP_BYTES + 1))
    assert fitting(long, OutputFormat.JPEG) == Carried()
    assert fitting(long, OutputFormat.PNG) == long


def test_a_lost_manifest_is_told_with_the_parameter_that_caused_it_and_what_stays() -> None:
    sealed = with_c2pa(picture("PNG", 64, 48), OutputFormat.PNG)
    (told,) = losses(sealed, Carried(XMP), OutputFormat.WEBP, "output_format")
    assert told.parameter == "output_format"
    assert "C2PA" in told.message
    assert "SynthID" in told.message


def test_nothing_lost_is_nothing_told() -> None:
    assert losses(picture("PNG", 64, 48), Carried(XMP, b"exif", b"icc"), OutputFormat.JPEG, "resize") == ()


def test_metadata_that_does_not_fit_is_told() -> None:
    told = losses(picture("PNG", 64, 48), Carried(b"x" * 70_000, b"e" * 70_000), OutputFormat.JPEG, "resize")
    assert ["XMP" in warning.message for warning in told] == [True, False]
    assert "EXIF" in told[1].message
