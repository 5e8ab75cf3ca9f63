"""Pictures and answers: what the fake upstream hands out, made once before anything is measured."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Final

SEED: Final = 7
"""Of the noise; any number would do."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A square PNG of the pixels a tier asks for. ``levels``: values the noise takes; 0 makes a gradient."""

    edge: int
    levels: int

    def png(self) -> bytes:
        """The file: 8 bits of red, green and blue each, no filter."""
        rows = _gradient(self.edge) if self.levels == 0 else _noise(self.edge, self.levels)
        strategy = zlib.Z_DEFAULT_STRATEGY if self.levels == 0 else zlib.Z_HUFFMAN_ONLY
        packer = zlib.compressobj(9 if self.levels == 0 else 1, zlib.DEFLATED, 15, 8, strategy)
        data = b"".join([*(packer.compress(row) for row in rows), packer.flush()])
        head = struct.pack(">IIBBBBB", self.edge, self.edge, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


PICTURES: Final[Mapping[str, Picture]] = MappingProxyType(
    {
        "small": Picture(512, 0),
        # Not every vendor sells 512 pixels: the smallest answer of one that does not.
        "plain1k": Picture(1024, 0),
        # 16 values are four bits each: 1.6 MB, 2.1 MB as base64.
        "1k": Picture(1024, 16),
        # 5 values are about 2.6 bits each once packed: 16 MB, 22 MB as base64.
        "4k": Picture(4096, 5),
    }
)
"""By the name a prompt asks for them with."""
UPLOAD: Final = Picture(2700, 16)
"""The input image of an edit: 11.1 MB. The Gemini adapter sends up to 15,000,000 characters of base64 inline, that is
11.25 MB; a larger one travels by another road, which is not what is measured."""


def write_answers(folder: Path, url: str) -> dict[str, int]:
    """Put every vendor's answer for every picture into ``folder``; bytes of each picture. ``url``: the upstream's."""
    lengths = {}
    for size, picture in PICTURES.items():
        image = picture.png()
        lengths[size] = len(image)
        (folder / f"media-{size}").write_bytes(image)
        text = b64encode(image).decode()
        for kind, document in _documents(size, text, url):
            (folder / f"{kind}-{size}").write_text(json.dumps(document))
    return lengths


def _documents(size: str, text: str, url: str) -> Iterator[tuple[str, object]]:
    media, job = f"{url}/media/{size}", f"{url}/fal-ai/nano-banana-2/requests/{size}"
    counted = {"promptTokenCount": 12, "candidatesTokenCount": 1120, "totalTokenCount": 1132}
    part = {"inlineData": {"mimeType": "image/png", "data": text}}
    content = {"role": "model", "parts": [part]}
    yield (
        "gemini",
        {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": counted,
            "modelVersion": "gemini-3.1-flash-image",
            "responseId": "bench",
        },
    )
    usage = {"input_tokens": 12, "output_tokens": 1120, "total_tokens": 1132}
    yield "openai", {"created": 1_790_000_000, "data": [{"b64_json": text}], "usage": usage}
    yield (
        "falsubmit",
        {
            "request_id": size,
            "status": "IN_QUEUE",
            "status_url": f"{job}/status",
            "response_url": job,
            "cancel_url": f"{job}/cancel",
        },
    )
    yield "falstatus", {"status": "COMPLETED", "request_id": size}
    yield "falresult", {"images": [{"url": media, "content_type": "image/png"}], "description": ""}
    yield (
        "replicate",
        {
            "id": size,
            "status": "succeeded",
            "output": media,
            "urls": {"get": f"{url}/v1/predictions/{size}", "cancel": f"{url}/v1/predictions/{size}/cancel"},
            "started_at": "2026-09-21T00:00:00Z",
            "metrics": {"predict_time": 1.0},
        },
    )


def _gradient(edge: int) -> Iterator[bytes]:
    """From black to blue and yellow, the same in every row: a few KB once it is packed."""
    ramp = bytes(255 * place // edge for place in range(edge))
    row = bytearray(3 * edge)
    row[0::3] = row[1::3] = ramp
    row[2::3] = ramp[::-1]
    yield from repeat(b"\0" + bytes(row), edge)


def _noise(edge: int, levels: int) -> Iterator[bytes]:
    table = bytes(value * levels // 256 * (256 // levels) for value in range(256))
    dice = Random(SEED)
    for _ in range(edge):
        yield b"\0" + dice.randbytes(edge * 3).translate(table)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
