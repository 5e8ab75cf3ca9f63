"""Drive: the measured program. One candidate does one job, in a process of its own, and says as JSON what it took.

It counts its own use of CPU and memory, all threads included: a client whose work is done in a thread of another
language is charged for it like any other.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.http_clients.contract import Client, Post, Target
from benchmarks.image_path.usage import forget_peak, memory
from providers.spool import Spool

PATH: Final = "/v1beta/models/gemini-3.1-flash-image-preview:generateContent"
REPLY_BYTES: Final = 160 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Job:
    """So many requests, so many of them open at once."""

    module: str
    """Of the candidate, within this package."""
    origin: str
    spool: str
    size: str
    at_once: int
    count: int
    authority: str | None = None
    http2: bool = False
    delay_ms: int = 0
    """How long the upstream takes."""
    upload_bytes: int = 0
    """Of every request; 0 for a small one."""
    warm: int = 1
    """Requests that go before, open at once like the others, and do not count."""


def target(job: Job) -> Target:
    """Where a job goes."""
    authority = Path(job.authority) if job.authority else None
    return Target(job.origin, authority, Path(job.spool), job.http2)


def candidate(module: str, at: Target) -> Client:
    """The candidate of this module. Raises ImportError where its library is not installed."""
    found: Client = importlib.import_module(f"benchmarks.http_clients.{module}").Client(at)
    return found


def request(job: Job) -> Post:
    """What is sent: a body of the Gemini API, with padding where it is to be large."""
    document: dict[str, Any] = {
        "contents": [{"role": "user", "parts": [{"text": f"a red fox size={job.size} delay={job.delay_ms}"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "1:1"}},
    }
    if job.upload_bytes:
        document["padding"] = "A" * job.upload_bytes
    return Post(PATH, json.dumps(document).encode(), {"Accept": "application/json"})


async def measured(job: Job) -> dict[str, float]:
    """Do the job. Raises RuntimeError when a reply is not the one that was asked for, and what the library raises."""
    client = candidate(job.module, target(job))
    ask = request(job)
    try:
        await _all(client, ask, job, job.warm)
        idle = memory(os.getpid()).now
        forget_peak(os.getpid())
        before, begun = _cpu_s(), time.perf_counter()
        took = sorted(await _all(client, ask, job, job.count))
        spent, lasted = _cpu_s() - before, time.perf_counter() - begun
        peak = memory(os.getpid()).peak
    finally:
        await client.close()
    # What was touched before stays with the process: how much a request holds shows in a fresh one only.
    held = {"mb_each": max(peak - idle, 0.0) / job.at_once} if job.warm == 1 else {}
    return {
        "cpu_ms": spent * 1000 / job.count,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[min(int(len(took) * 0.99), len(took) - 1)] * 1000,
        "per_s": job.count / lasted,
        **held,
    }


async def _all(client: Client, ask: Post, job: Job, count: int) -> list[float]:
    left, took = count, []

    async def in_turn() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            begun = time.perf_counter()
            spool = Spool(Path(job.spool), limit=REPLY_BYTES)
            try:
                answer = await client.post(ask, spool.write)
                spool.finish()
            finally:
                spool.close()
            if answer.status != 200 or not answer.content_type.startswith("application/json") or not spool.length:
                raise RuntimeError(f"the reply was {answer.status}, {answer.content_type}, {spool.length} bytes")
            took.append(time.perf_counter() - begun)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(job.at_once, count)):
                group.create_task(in_turn())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # the first one is told, and tells the most
    return took


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """The job is the only argument, as JSON; ``behaviour`` instead of a size asks for that."""
    job = Job(**json.loads(sys.argv[1]))
    if job.size == "behaviour":
        from benchmarks.http_clients.behaviour import behaviour

        sys.stdout.write(json.dumps(uvloop.run(behaviour(job.module, Path(job.spool)))))
        return
    sys.stdout.write(json.dumps(uvloop.run(measured(job))))


if __name__ == "__main__":
    main()
