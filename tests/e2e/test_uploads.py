"""Upload abuse against a gateway process: a clear 4xx in the envelope for each, memory within a bound, still alive."""

from __future__ import annotations

import io
import json
import random
import socket
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from tests.e2e import patient
from tests.e2e.asking import edit, edit_json, error_of
from tests.e2e.conftest import NANO_BANANA_2, Vendors
from tests.e2e.gateway_process import MIB, Process, gateway_process
from tests.e2e.pictures import data_url, encoded, photograph, scene

PEAK_MIB = 220
"""Resident memory the gateway may have at its peak in all of this, mapped files included. It begins with some 105 MiB;
one body takes up to 25 MiB, and the largest file that is kept, 50 MiB, lies in a mapped file until it is refused."""
SMALL = encoded(scene(64, 64), "PNG")
NOISY = encoded(scene(640, 640, noise=60), "JPEG")


@pytest.fixture(scope="module")
def gateway(simulator: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("gateway")
    spools = folder / "spools"
    spools.mkdir()
    with gateway_process(folder, simulator.url, GATEWAY_SPOOL_DIR=str(spools)) as process:
        yield process
    assert list(spools.iterdir()) == []


@pytest.fixture(autouse=True)
def _alive_and_lean(gateway: Process, vendors: Vendors) -> Iterator[None]:
    yield
    asked = sum(row["requests"] for row in vendors.books())
    assert asked == 0, "an abusive upload reached a vendor"
    assert patient.get(f"{gateway.url}/healthz").json() == {"status": "ok"}
    print(f"peak {gateway.peak_mib():.0f} MiB, now {gateway.now_mib():.0f} MiB")
    assert gateway.peak_mib() < PEAK_MIB


def png(width: int, height: int, data: bytes, *, colour: int = 2) -> bytes:
    """A PNG with this header, whatever its data hold."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(length: int) -> bytes:
    """So many zero bytes, compressed a thousandfold."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(length // MIB)), packer.flush()])


BOMB = png(50_000, 50_000, zeros(200 * MIB))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (BOMB, "50000 x 50000"),
        (png(40_000, 1, zeros(MIB)), "40000 x 1"),
        (png(9000, 9000, zeros(200 * MIB), colour=0), "megapixels"),
        (SMALL[: len(SMALL) // 2], "ends before"),
        (NOISY[: len(NOISY) // 2], "ends before"),
        (encoded(scene(640, 640, noise=30), "WEBP")[:3000], "ends before"),
        (encoded(scene(640, 640), "BMP")[:2000], "damaged"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "SVG"),
        (b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (SMALL + b"<html><script>alert(1)</script></html>", "behind the end"),
        (SMALL + b"PK\x03\x04" + b"x" * 1000, "behind the end"),
        (NOISY + b"%PDF-1.4 and so on", "behind the end"),
        (b"%PDF-1.4\n" + NOISY, "no image"),
        (b"GIF89a/*" + b"a" * 40 + b"*/=alert(1)", "cannot be used"),
        (b"MZ" + bytes(1000), "no image"),
        (bytes(1000), "no image"),
        (b"", "image"),
    ],
    ids=["bomb", "one long row", "grey bomb", "cut PNG", "cut JPEG", "cut WebP", "cut BMP", "SVG", "XML entities",
         "PNG and HTML", "PNG and ZIP", "JPEG and PDF", "PDF before JPEG", "GIF and script", "program", "zeros",
         "empty"],
)  # fmt: skip
def test_a_file_that_is_no_picture_is_told_what_is_wrong_with_it(gateway: Process, data: bytes, words: str) -> None:
    answers = [edit(gateway.url, ("a.png", data, "image/png"))]
    if data and len(data) < MIB:
        answers.append(edit_json(gateway.url, images=[{"image_url": data_url(data)}]))
        answers.append(edit(gateway.url, SMALL, mask=data))
    for answer in answers:
        error = error_of(answer, 400)
        assert error["type"] == "invalid_request_error"
        assert error["param"] in ("image", "images[0].image_url", "mask")
        assert words in error["message"] or error["param"] == "mask", error
        assert len(error["message"]) < 400


def test_a_file_of_sixty_megabytes_is_a_413(gateway: Process) -> None:
    error = error_of(edit(gateway.url, bytes(60 * 1000 * 1000)), 413)
    assert (error["param"], error["code"]) == ("image", "request_too_large")
    assert "52,428,800" in error["message"]


def test_seventeen_files_are_a_400(gateway: Process) -> None:
    error = error_of(edit(gateway.url, *[SMALL] * 17, name="image[]"), 400)
    assert error["param"] == "image"
    assert "16" in error["message"]


def test_ten_thousand_parts_are_a_400(gateway: Process) -> None:
    parts = b"".join(part(f"field{number}", b"x") for number in range(10_000))
    error = error_of(form(gateway, [parts, b"--b--\r\n"]), 400)
    assert "1,000 parts" in error["message"]


def test_ten_thousand_unknown_fields_in_json_do_not_fill_the_answer(gateway: Process) -> None:
    answer = edit_json(gateway.url, **{f"field{number}": number for number in range(10_000)})
    assert error_of(answer, 400)["param"] == "image"
    assert len(answer.content) < 2_000


def test_a_missing_picture_is_named(gateway: Process) -> None:
    answers = [
        form(gateway, [part("prompt", b"night"), b"--b--\r\n"]),
        form(gateway, [part("prompt", b"night"), part("image", b"", filename=""), b"--b--\r\n"]),
        edit_json(gateway.url),
        edit_json(gateway.url, images=[]),
    ]
    for answer in answers:
        error = error_of(answer, 400)
        assert (error["param"], error["code"]) == ("image", "missing_required_parameter")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="' + "x" * 5000 + '"',
     "multipart/form-data; boundary=other"],
)  # fmt: skip
def test_a_boundary_that_is_none_is_a_400(gateway: Process, content_type: str) -> None:
    answer = form(gateway, [part("image", SMALL, filename="a.png"), b"--b--\r\n"], content_type=content_type)
    error = error_of(answer, 400)
    assert error["code"] == "invalid_multipart"


@pytest.mark.parametrize("body", [b"", b"--b", b"--b--\r\n", b"garbage", b"--b\r\nX: y\r\n\r\n"])
def test_a_form_that_is_none_is_a_400(gateway: Process, body: bytes) -> None:
    assert error_of(form(gateway, [body]), 400)["type"] == "invalid_request_error"


def test_random_bytes_as_a_form_are_always_a_400(gateway: Process) -> None:
    dice = random.Random(4)
    whole = part("prompt", b"night") + part("image", SMALL, filename="a.png") + b"--b--\r\n"
    for _ in range(60):
        spoilt = bytearray(whole)
        for _ in range(dice.randint(1, 40)):
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        answer = form(gateway, [bytes(spoilt[: dice.randint(1, len(spoilt))])], model="fal/nobody-sells-this")
        assert 400 <= answer.status_code < 500, bytes(spoilt)
        error_of(answer, answer.status_code)


def test_an_endless_header_is_refused_while_it_still_comes(gateway: Process) -> None:
    def endless() -> Iterator[bytes]:
        yield b"--b\r\nContent-Disposition: form-data; name="
        while True:
            yield b"x" * MIB

    status, headers, error = over_socket(gateway, endless())
    assert status == 400
    assert error["code"] == "invalid_multipart"
    assert headers["connection"] == "close"


def test_an_endless_file_is_refused_while_it_still_comes(gateway: Process) -> None:
    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        while True:
            yield bytes(MIB)

    status, headers, error = over_socket(gateway, endless())
    assert (status, error["code"], error["param"]) == (413, "request_too_large", "image")
    assert headers["connection"] == "close"


def test_a_compressed_body_is_not_unpacked(gateway: Process) -> None:
    answer = patient.post(
        f"{gateway.url}/v1/images/edits",
        content=zeros(100 * MIB),
        headers={"content-type": "application/json", "content-encoding": "deflate"},
    )
    assert error_of(answer, 415)["code"] == "unsupported_media_type"


def test_twenty_at_once_stay_within_the_bound(gateway: Process) -> None:
    bodies = [BOMB, bytes(51 * MIB), SMALL[:500], photograph() + b"<html>"] * 5

    def one(data: bytes) -> int:
        return edit(gateway.url, data).status_code

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(one, bodies)) == {400, 413}


def test_clients_that_fall_silent_hold_up_nobody(gateway: Process) -> None:
    before = gateway.open_files()
    silent = [connected(gateway, [b'--b\r\nContent-Disposition: form-data; name="image"']) for _ in range(50)]
    try:
        assert error_of(edit(gateway.url, b"x"), 400)["param"] == "image"
    finally:
        for connection in silent:
            connection.close()
    give_up = time.monotonic() + 10
    while gateway.open_files() > before + 5:
        assert time.monotonic() < give_up
        time.sleep(0.05)


@pytest.mark.slow
def test_a_client_that_falls_silent_is_told_after_a_minute(gateway: Process) -> None:
    with connected(gateway, [b'--b\r\nContent-Disposition: form-data; name="image"']) as connection:
        connection.settimeout(90)
        status, headers, error = answer_of(connection)
    assert (status, error["code"]) == (408, "request_timeout")
    assert headers["connection"] == "close"


@pytest.mark.slow
def test_the_largest_pictures_that_are_taken_have_a_bound_too(
    gateway: Process, simulator: Vendors, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    largest = encoded(Image.new("RGB", (8192, 8192), (90, 120, 40)), "JPEG", exif=exif, progressive=True)
    with gateway_process(tmp_path, simulator.url) as other, ThreadPoolExecutor(4) as pool:

        def one(_: int) -> int:
            query = "?dry_run=1"
            return edit(other.url, largest, query=query, model=f"fal/{NANO_BANANA_2}").status_code

        assert set(pool.map(one, range(4))) == {200}
        print(f"peak {other.peak_mib():.0f} MiB with four of 67 megapixels at once")
        assert other.peak_mib() < 1500


def part(name: str, value: bytes, *, filename: str | None = None) -> bytes:
    file = f'; filename="{filename}"\r\nContent-Type: image/png' if filename is not None else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


def form(
    gateway: Process,
    pieces: Iterable[bytes],
    *,
    content_type: str = "multipart/form-data; boundary=b",
    model: str | None = None,
) -> httpx.Response:
    """What a client without a form library sends."""
    named = [part("model", model.encode())] if model else []
    headers = {"content-type": content_type}
    return patient.post(f"{gateway.url}/v1/images/edits", content=b"".join([*named, *pieces]), headers=headers)


def connected(gateway: Process, pieces: Iterable[bytes]) -> socket.socket:
    """A connection over which a form in chunks was begun."""
    parts = urlsplit(gateway.url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)
    connection.sendall(
        b"POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    for piece in pieces:
        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    return connection


def over_socket(gateway: Process, pieces: Iterator[bytes]) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Write until the server wants no more, and read what it said."""
    with connected(gateway, [next(pieces)]) as connection:
        try:
            for piece in pieces:
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer_of(connection)


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and error of the answer."""
    response: io.BufferedReader = connection.makefile("rb")
    status = int(response.readline().split()[1])
    headers: dict[str, str] = {}
    while line := response.readline().strip().decode():
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return status, headers, json.loads(response.read(int(headers["content-length"])))["error"]
