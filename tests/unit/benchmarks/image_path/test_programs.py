"""The fake upstream and the load generator, compiled and talking to each other."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.image_path.asking import Dialect, generation
from benchmarks.image_path.compiled import compile_programs
from benchmarks.image_path.measure import Bench
from benchmarks.image_path.pictures import Picture, write_answers
from benchmarks.image_path.servers import LOAD_CORE, Upstream, exchange
from benchmarks.rig.ports import held_port

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
    pytest.mark.skipif(LOAD_CORE not in os.sched_getaffinity(0), reason="one core only"),
]
PLAIN = Dialect("m")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    compile_programs(folder)
    answers = folder / "answers"
    answers.mkdir()
    with held_port() as port:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("benchmarks.image_path.pictures.PICTURES", {"small": Picture(64, 0), "4k": Picture(512, 6)})
            lengths = write_answers(answers, f"http://127.0.0.1:{port}")
        with Upstream(folder / "upstream", port, answers, folder / "log") as upstream:
            upstream.ready()
            yield Bench(folder, upstream, folder, lengths)


def answer(bench: Bench, kind: str, size: str) -> bytes:
    return (bench.folder / "answers" / f"{kind}-{size}").read_bytes()


def test_every_request_is_sent_and_answered_once(bench: Bench) -> None:
    bench.upstream.stats()
    told = bench.load(bench.upstream, generation(PLAIN, "4k"), 50, bench.lengths["4k"], open=8)
    assert (told["asked"], told["good"], told["lost"], told["statuses"]) == (50, 50, 0, {"200": 50})
    assert told["bytes"] == 50 * len(answer(bench, "openai", "4k"))
    assert bench.upstream.stats()["arrived"] == 50


def test_an_answer_that_is_too_short_is_not_good(bench: Bench) -> None:
    told = bench.load(bench.upstream, generation(PLAIN, "small"), 5, bench.lengths["4k"], open=1)
    assert (told["answered"], told["good"]) == (5, 0)


def test_requests_that_wait_are_all_open_at_once(bench: Bench) -> None:
    bench.upstream.stats()
    told = bench.load(bench.upstream, generation(PLAIN, "small", delay_ms=300), 40, 1, open=40)
    assert (told["good"], bench.upstream.stats()["most"]) == (40, 40)
    assert told["p50_ms"] >= 300


def test_requests_at_a_rate_do_not_wait_for_each_other(bench: Bench) -> None:
    bench.upstream.stats()
    told = bench.load(bench.upstream, generation(PLAIN, "small", delay_ms=500), 20, 1, rate=2000)
    assert (told["good"], bench.upstream.stats()["most"]) == (20, 20)


def test_a_slow_reader_takes_as_long_as_its_rate_says(bench: Bench) -> None:
    size = len(answer(bench, "openai", "4k"))
    told = bench.load(bench.upstream, generation(PLAIN, "4k"), 2, 1, open=2, read=size * 4)
    assert told["good"] == 2
    assert told["max_ms"] >= 200


def test_a_probe_is_sent_beside_the_load(bench: Bench) -> None:
    file = bench.folder / "probe"
    file.write_bytes(b"GET /media/small HTTP/1.1\r\nHost: bench\r\n\r\n")
    told = bench.load(bench.upstream, generation(PLAIN, "small", delay_ms=200), 1, 1, open=1, probe=file, every=5)
    assert told["good"] == 1
    assert told["probes"] > 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1beta/models/any:generateContent", "gemini"),
        ("/fal-ai/nano-banana-2", "falsubmit"),
        ("/v1/models/any/predictions", "replicate"),
    ],
)
def test_each_vendor_is_known_by_its_path(bench: Bench, path: str, kind: str) -> None:
    body = json.dumps({"prompt": "a fox size=4k delay=0"}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    status, told = exchange(bench.upstream.port, head.encode() + body)
    assert (status, told) == (201 if kind == "replicate" else 200, answer(bench, kind, "4k"))


def test_a_body_in_chunks_is_read_to_its_end_and_its_prompt_found_behind_a_long_picture(bench: Bench) -> None:
    # Lines that look like a last chunk: whoever miscounts a chunk stops at one of them.
    body = b'{"image": "' + (b"A" * 90 + b"\r\n0\r\n\r\n") * 3_000 + b'", "prompt": "size=4k"}'
    chunks = [body[at : at + 7_001] for at in range(0, len(body), 7_001)]
    framed = b"".join(f"{len(chunk):X};x=abc\r\n".encode() + chunk + b"\r\n" for chunk in chunks)
    head = b"POST /v1/images/edits HTTP/1.1\r\nHost: bench\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, told = exchange(bench.upstream.port, head + framed + b"0\r\n\r\n")
    assert (status, told) == (200, answer(bench, "openai", "4k"))


def test_an_unknown_size_is_not_found(bench: Bench) -> None:
    assert exchange(bench.upstream.port, b"GET /media/huge HTTP/1.1\r\nHost: b\r\n\r\n")[0] == 404


def test_a_picture_downloads_as_it_is(bench: Bench) -> None:
    picture: Path = bench.folder / "answers" / "media-small"
    status, told = exchange(bench.upstream.port, b"GET /media/small HTTP/1.1\r\nHost: b\r\n\r\n")
    assert (status, told) == (200, picture.read_bytes())
