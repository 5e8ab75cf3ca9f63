"""Files with a C2PA manifest put in by hand where the specification places it in each format. It says nothing."""

from __future__ import annotations

import struct
import zlib

from providers.spec.request import OutputFormat

_TYPE = bytes.fromhex("6332706100110010800000aa00389b71")
_DESCRIPTION = _TYPE + b"\x03c2pa\x00"
JUMBF = (
    struct.pack(">I4s", 8 + 8 + len(_DESCRIPTION), b"jumb")
    + struct.pack(">I4s", 8 + len(_DESCRIPTION), b"jumd")
    + _DESCRIPTION
)


def with_c2pa(data: bytes, format: OutputFormat) -> bytes:
    """The file with a manifest; still a good file."""
    match format:
        case OutputFormat.PNG:
            name = b"caBX" + JUMBF
            return data[:33] + struct.pack(">I", len(JUMBF)) + name + struct.pack(">I", zlib.crc32(name)) + data[33:]
        case OutputFormat.JPEG:
            body = b"JP\x00\x01\x00\x00\x00\x01" + JUMBF
            return data[:2] + b"\xff\xeb" + struct.pack(">H", len(body) + 2) + body + data[2:]
        case OutputFormat.WEBP:
            chunk = b"C2PA" + struct.pack("<I", len(JUMBF)) + JUMBF + b"\x00" * (len(JUMBF) % 2)
            return data[:4] + struct.pack("<I", len(data) - 8 + len(chunk)) + data[8:] + chunk
        case OutputFormat.AVIF:
            body = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"\x00" * 4 + b"manifest\x00" + JUMBF
            return data + struct.pack(">I4s", 8 + len(body), b"uuid") + body
        case OutputFormat.GIF:
            palette = 3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0
            head = 13 + palette
            block = b"\x21\xff\x0bC2PA_GIF\x01\x00\x00" + bytes([len(JUMBF)]) + JUMBF + b"\x00"
            return b"GIF89a" + data[6:head] + block + data[head:]
