"""Hosting for tests: a clock that is set, instruments that remember, and the real store in a folder."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from app.hosting.hosting import Hosting
from providers.blobs import MemoryBlob
from providers.workers import Workers

NOW = 1_763_705_000.5
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4000
"""A megabyte and a little: more than one chunk, and more than one window."""
IMAGE = MemoryBlob(PNG, "image/png")
BASE = "http://127.0.0.1:8080"


class Clock:
    """Tells what it was set to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Remembered:
    """Instruments whose figures can be looked at."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.not_kept = self.swept = self.sweeps_failed = 0
        self.has_swept = threading.Event()

    def image_kept(self, length: int, seconds: float) -> None:
        self.kept.append(length)

    def image_not_kept(self) -> None:
        self.not_kept += 1

    def images_swept(self, count: int) -> None:
        self.swept += count
        self.has_swept.set()

    def sweep_failed(self) -> None:
        self.sweeps_failed += 1


def hosting(folder: Path, **settings: Any) -> Hosting:
    """Hosting as the gateway makes it when nothing is set, but for the clock."""
    given: dict[str, Any] = {
        "store_url": None,
        "data_dir": folder,
        "signing_key": None,
        "ttl_s": 3600,
        "public_url": None,
        "urls": "gateway",
        "workers": Workers(),
        "clock": Clock(),
    }
    return Hosting(**(given | settings))


def parts_of(url: str) -> tuple[str, str]:
    """Signature and name, as the door takes them out of the path."""
    signature, name = url.rsplit("/", 2)[1:]
    return signature, name


def everything_in(folder: Path) -> list[str]:
    """All files and folders below, as paths relative to it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def files_in(folder: Path) -> list[str]:
    """All files below, likewise."""
    return [path for path in everything_in(folder) if (folder / path).is_file()]
