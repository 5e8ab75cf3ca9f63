"""Measure: one contestant under one kind of load, in figures. Whoever calls says how often and in which order."""

from __future__ import annotations

import http
import io
import json
import subprocess
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from benchmarks.image_path.asking import edit, generation, probe
from benchmarks.image_path.compiled import CannotRunError
from benchmarks.image_path.contestants import Server
from benchmarks.image_path.pictures import PICTURES, UPLOAD
from benchmarks.image_path.servers import LOAD_CORE, Upstream, exchange, pin_to
from benchmarks.image_path.usage import Watch, cpu_s, forget_peak, memory

SLOW_BYTES_S: Final = 1_000_000
"""Bytes a second a slow client reads: a 4K answer takes it 22 s."""
PROBE_MS: Final = 5
_LIMIT_S: Final = 150
"""Seconds after which one load is given up and what is unanswered counts as failed."""
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs: the programs, the upstream, a folder, and how long each picture is in bytes."""

    programs: Path
    upstream: Upstream
    folder: Path
    lengths: dict[str, int]

    def load(self, server: Server | Upstream, request: bytes, count: int, least: int, **options: Any) -> dict[str, Any]:
        """What the generator saw. ``options`` are those of load.c; ``least``: bytes of an answer that may be right."""
        file = self.folder / "request"
        file.write_bytes(request)
        words = [f"{name}={value}" for name, value in {"limit": _LIMIT_S, "least": least, **options}.items()]
        command: list[str | Path] = [self.programs / "load", str(server.port), str(file), str(count), *words]
        done = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, text=True, check=False, preexec_fn=pin_to(LOAD_CORE)
        )
        if done.returncode != 0:
            raise CannotRunError(f"the load generator failed: {done.stderr[:300]}")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def asked(self, server: Server, size: str, *, delay_ms: int = 0) -> tuple[bytes, int]:
        """The request for a picture, and the bytes its answer has at least. ``small`` is the vendor's smallest."""
        named = server.contestant.small if size == "small" else size
        request = generation(server.contestant.dialect, named, delay_ms=delay_ms)
        return request, self.lengths[named] * 4 // 3


def edited(server: Server) -> bytes:
    """The request for an edit of the input image."""
    return edit(server.contestant.dialect, UPLOAD.png())


def check(server: Server, request: bytes, size: str) -> None:
    """Ask once and look at the picture. Raises CannotRunError when it is not the one that was asked for."""
    named = server.contestant.small if size == "small" else size
    status, body = exchange(server.port, request)
    if status != http.HTTPStatus.OK:
        raise CannotRunError(f"{server.contestant.name} answers {status}: {body[:200].decode(errors='replace')}")
    try:
        picture = Image.open(io.BytesIO(b64decode(json.loads(body)["data"][0]["b64_json"], validate=True)))
        picture.load()
    except (ValueError, LookupError, OSError) as wrong:
        raise CannotRunError(f"{server.contestant.name} answers what is no image: {wrong!r}") from wrong
    edge = PICTURES[named].edge
    if picture.size != (edge, edge):
        raise CannotRunError(f"{server.contestant.name} answers {picture.size} for {named}")


def cpu(bench: Bench, server: Server, request: bytes, least: int, *, count: int, at_once: int) -> Figures:
    """Milliseconds of CPU per request, and what else the generator saw, with so many requests open at once."""
    before = cpu_s(server.pid)
    told = bench.load(server, request, count, least, open=at_once)
    spent = cpu_s(server.pid) - before
    return {"cpu_ms": spent * 1000 / count, "per_s": told["good"] / told["seconds"], "failed": count - told["good"]}


def latency(bench: Bench, server: Server, request: bytes, least: int, *, count: int, direct: bytes) -> Figures:
    """Milliseconds added to an upstream that answers at once, at 50 requests a second."""
    straight = bench.load(bench.upstream, direct, count, least, rate=50)
    told = bench.load(server, request, count, least, rate=50)
    return {
        "added_p50_ms": told["p50_ms"] - straight["p50_ms"],
        "added_p99_ms": told["p99_ms"] - straight["p99_ms"],
        "failed": count - told["good"],
    }


def held(bench: Bench, server: Server, request: bytes, least: int, *, at_once: int, waves: int, slow: bool) -> Figures:
    """MB held for each of so many requests open at once, above what the idle process holds; and the peak of all."""
    idle = memory(server.pid)
    forget_peak(server.pid)
    options = {"read": SLOW_BYTES_S} if slow else {}
    count = at_once * waves
    with Watch(server.pid) as watch:
        told = bench.load(server, request, count, least, open=at_once, **options)
    peak = memory(server.pid).peak
    return {
        "mb_each": (peak - idle.now) / at_once,
        "anonymous_mb_each": max(watch.anonymous_peak - idle.anonymous, 0.0) / at_once,
        "peak_mb": peak,
        "failed": count - told["good"],
    }


def in_flight(bench: Bench, server: Server, count: int, *, over_s: float) -> Figures:
    """So many requests arriving over so many seconds before an upstream that takes ten."""
    request, least = bench.asked(server, "small", delay_ms=10_000)
    idle = memory(server.pid)
    forget_peak(server.pid)
    bench.upstream.stats()
    before = cpu_s(server.pid)
    told = bench.load(server, request, count, least, rate=count / over_s)
    spent = cpu_s(server.pid) - before
    return {
        "most_at_upstream": bench.upstream.stats()["most"],
        "failed": count - told["good"],
        "p50_s": told["p50_ms"] / 1000,
        "p99_s": told["p99_ms"] / 1000,
        "kb_each": (memory(server.pid).peak - idle.now) * 1000 / count,
        "cpu_ms": spent * 1000 / count,
    }


def lag(bench: Bench, server: Server, *, at_once: int, waves: int) -> Figures:
    """How late a request that does no work is answered while 4K images pass: what the event loop is held up for."""
    request, least = bench.asked(server, "4k")
    file = bench.folder / "probe"
    file.write_bytes(probe())
    count = at_once * waves
    told = bench.load(server, request, count, least, open=at_once, probe=file, every=PROBE_MS)
    return {
        "lag_p50_ms": told["probe_p50_ms"],
        "lag_p99_ms": told["probe_p99_ms"],
        "lag_max_ms": told["probe_max_ms"],
        "failed": count - told["good"],
    }
