"""Files that are no image this gateway takes, masks that are none, and images under many names."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator

from tests.hostile import jpegs, pngs
from tests.hostile.case import REFUSED, TAKEN, Case, form, inline, part, upload

ENTITIES = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">%s]><svg>&j;</svg>' % b"".join(
    b'<!ENTITY %c "%s">' % (letter + 1, b"&%c;" % letter * 10) for letter in b"abcdefghi"
)
FILES = {
    "an empty file": b"",
    "one byte": b"\x89",
    "text": b"a fox, honestly",
    "zeros": bytes(100_000),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "svg that names a file": b'<svg><image href="file:///etc/passwd"/></svg>',
    "svg with a mark of its byte order": b"\xef\xbb\xbf<svg/>",
    "svg of entities of entities": ENTITIES,
    "a page": b"<!doctype html><img src=x onerror=alert(1)>",
    "a document": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF",
    "an archive": b"PK\x03\x04" + bytes(26),
    "a compressed picture": gzip.compress(pngs.png()),
    "a program": b"MZ" + bytes(200),
    "a script": b"#!/bin/sh\necho fox\n",
    "PostScript": b"%!PS-Adobe-3.0\n(/etc/passwd) run\n",
    "an icon": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0" + bytes(40),
    "a Photoshop file": b"8BPS\0\1" + bytes(30),
    "JPEG XL": b"\xff\x0a" + bytes(60),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
    "a portable pixmap": b"P6 9 9 255 " + bytes(243),
    "a big TIFF": b"II+\0\x08\0\0\0" + bytes(60),
    "an image magick script": b'push graphic-context\nimage over 0,0 0,0 "https://example.com/"\n',
}


def cases() -> Iterator[Case]:
    """All of them."""
    for name, data in FILES.items():
        yield upload(name, data, *([(400, "missing_required_parameter"), REFUSED] if not data else [REFUSED]))
        if data:
            yield inline(name, data)
    yield inline("png", pngs.png(), TAKEN)
    yield inline("png bomb", pngs.png(head=pngs.header(50_000, 50_000)))
    yield from _masks()
    yield from _many()


def _masks() -> Iterator[Case]:
    image = part("image", pngs.png(), filename="fox.png")
    clear = pngs.png(head=pngs.header(pngs.SIDE, pngs.SIDE, colour=6), picture=pngs.rows(32, 32, bytes_a_pixel=4))
    masks = {
        "a mask without transparency": pngs.png(),
        "a mask of another size": pngs.png(head=pngs.header(8, 8, colour=6), picture=pngs.rows(8, 8, bytes_a_pixel=4)),
        "a mask that is a JPEG": jpegs.SOUND,
        "a mask that is a bomb": pngs.png(head=pngs.header(50_000, 50_000, colour=6)),
        "a mask cut short": clear[:-20],
        "a mask whose picture is no zlib": pngs.png(
            head=pngs.header(pngs.SIDE, pngs.SIDE, colour=6), picture=pngs.chunk(b"IDAT", b"none")
        ),
        "a mask that is text": b"a fox",
    }
    for name, mask in masks.items():
        yield Case(name, form(image, part("mask", mask, filename="mask.png")))
    yield Case("a mask", form(image, part("mask", clear, filename="mask.png")), (TAKEN,))
    yield Case("two masks", form(image, *[part("mask", clear, filename="mask.png")] * 2))
    yield Case(
        "a mask for no image", form(part("mask", clear, filename="m.png")), ((400, "missing_required_parameter"),)
    )


def _many() -> Iterator[Case]:
    image = part("image", pngs.png(), filename="fox.png")
    yield Case("17 images", form(*[image] * 17))
    yield Case("16 images under 16 names", form(*(_named(name) for name in range(16))), (TAKEN, REFUSED))
    lines = base64.encodebytes(pngs.png() * 200)
    yield Case("base64 in lines for an image", form(part("image", b"data:image/png;base64," + lines)))
    for url in (
        "data:,",
        "data:image/png,x",
        "data:image/png;base64,####",
        "data:image/png;base64,AAA",
        "//a/b",
        "x" * 9000,
    ):
        yield Case(f"{url[:30]} for an image", form(part("image", url.encode())))
    for url in (
        "http://127.0.0.1/", "https://127.0.0.1/", "https://169.254.169.254/latest/meta-data", "https://[::1]/",
        "file:///etc/passwd",
        "https://user:word@example.com/", "https://[::ffff:10.0.0.1]/", "gopher://127.0.0.1/", "https://0x7f000001/",
        "https://\r\nHost: a/",
        "https://127.1/", "https://localhost/", "https://" + "a" * 300 + "/", "https://[/",
    ):  # fmt: skip
        yield Case(f"{url[:40]!r} for an image", form(part("image", url.encode())))


def _named(place: int) -> bytes:
    return part(("image[]", f"image[{place}]", "images", "image_url")[place % 4], pngs.png(), filename="f.png")
