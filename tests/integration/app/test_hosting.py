"""Images by URL over real sockets: they work without a key, end, cannot be guessed, and come whole or in part."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from app.hosting.key_file import FILE_NAME
from app.hosting.signing import PREFIX, Signer
from tests.integration.app.hosting_app import gateway, keep, raw
from tests.servers import running
from tests.unit.app.hosting.making import NOW, Clock, Remembered, files_in, hosting, parts_of

IMAGE = b"\x89PNG\r\n\x1a\n" + random.Random(4).randbytes(3_000_000)
SIZE = len(IMAGE)


@dataclass
class Served:
    """A running gateway and one image it keeps."""

    base: str
    url: str
    clock: Clock
    folder: Path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    clock = Clock()
    with running(gateway(hosting(tmp_path, clock=clock))) as base:
        yield Served(base, keep(base, IMAGE), clock, tmp_path)


def code(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error["code"]


def test_a_url_gives_the_image_without_a_key_and_with_the_right_headers(served: Served) -> None:
    assert served.url.startswith(served.base + PREFIX)
    answer = httpx.get(served.url)
    assert answer.status_code == 200
    assert answer.content == IMAGE
    headers = answer.headers
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == str(SIZE)
    assert headers["cache-control"] == "public, max-age=3601, immutable"
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"].startswith('"')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-disposition"].startswith('inline; filename="image-')
    assert headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif", "gif"])
def test_every_delivered_type_is_served_as_itself(served: Served, format: str) -> None:
    answer = httpx.get(keep(served.base, b"image", f"image/{format}"))
    assert (answer.content, answer.headers["content-type"]) == (b"image", f"image/{format}")


def test_keeping_asks_for_a_key_and_so_does_everything_beside_the_images(served: Served) -> None:
    assert httpx.post(f"{served.base}/keep", content=IMAGE).status_code == 401
    for path in ("/v1/images/files", "/v1/images/generations", "/v1//images/files/a/b", "//v1/images/files/a/b"):
        assert raw(served.base, path)[0] == 401


def test_a_url_ends_and_the_image_is_said_to_be_gone(served: Served) -> None:
    served.clock.now = NOW + 3599
    assert httpx.get(served.url).headers["cache-control"] == "public, max-age=2, immutable"
    served.clock.now = NOW + 3601
    answer = httpx.get(served.url)
    assert code(answer) == (410, "image_expired")
    assert "2025-11-21 07:03:21 UTC" in answer.json()["error"]["message"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_url_cannot_be_widened_or_guessed_and_all_wrong_ones_are_answered_alike(served: Served) -> None:
    signature, name = parts_of(served.url)
    other_signature, other = parts_of(keep(served.base, b"another"))
    expires = int(name[:10])
    wrong = [
        f"{signature}/{expires + 1}{name[10:]}",
        f"{signature}/{9_999_999_999}{name[10:]}",
        f"{signature}/{other}",
        f"{other_signature}/{name}",
        f"{signature[:-1]}/{name}",
        f"{signature}=/{name}",
        f"{'A' * 43}/{name}",
        f"{signature}/{name.replace('.png', '.gif')}",
        f"{signature}/{name.replace('.png', '')}",
        f"{signature}/{name}/",
        f"{signature}//{name}",
        f"/{name}",
        name,
        f"{signature}/",
        "",
    ]
    signer = Signer((served.folder / FILE_NAME).read_bytes())  # the file's text is not the key
    wrong.append(f"{signer.sign(name)}/{name}")
    answers = [httpx.get(f"{served.base}{PREFIX}{path}") for path in wrong]
    for file in (served.folder / "images").rglob("*.png"):
        file.unlink()
    answers.append(httpx.get(served.url))
    assert {code(answer) for answer in answers} == {(404, "image_not_found")}
    assert len({answer.content for answer in answers}) == 1
    headers = [sorted(key for key in answer.headers if key != "date") for answer in answers]
    assert headers.count(headers[0]) == len(headers)


def test_paths_with_tricks_are_404_in_the_envelope_and_never_more(served: Served) -> None:
    signature, name = parts_of(served.url)
    tricks = [
        f"{signature}/../{FILE_NAME}",
        f"../../../../{FILE_NAME}",
        "%2e%2e/%2e%2e/signing.key",
        "..%2f..%2fsigning.key",
        f"{signature}/..%5c{name}",
        f"{signature}/{name}%00",
        f"{signature}/%00{name}",
        f"{signature}%00/{name}",
        f"{signature}/{name}%0d%0aset-cookie:a=b",
        f"{signature}/{name}%ff%fe",
        f"{signature}/{quote('１' + name[1:])}",
        f"{signature}%2f%2f{name}",
        f"{signature}/{name};a=b",
        f"{signature}/{'x' * 30_000}",
        f"{'x' * 30_000}/{name}",
        "%",
        "%zz/%",
    ]
    for trick in tricks:
        status, body = raw(served.base, PREFIX + trick)
        error = json.loads(body)["error"]
        # No route serves a path with a line break, and what no route serves asks for a key.
        expected = 401 if "%0a" in trick else 404
        assert (status, error["type"]) == (expected, "invalid_request_error"), trick
        assert error["code"] == ("invalid_api_key" if "%0a" in trick else "image_not_found"), trick
    assert httpx.get(f"{served.url}?expires=9999999999").content == IMAGE  # a query says nothing
    assert httpx.post(served.url).status_code == 405


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("0-0", 0, 1),
        ("0-1023", 0, 1024),
        ("1048570-1048580", 1048570, 1048581),
        ("2000000-", 2000000, SIZE),
        ("-5", SIZE - 5, SIZE),
        ("-99999999", 0, SIZE),
        ("2999999-99999999", 2999999, SIZE),
    ],
)
def test_a_range_gives_its_bytes_and_says_which_they_are(served: Served, asked: str, start: int, end: int) -> None:
    answer = httpx.get(served.url, headers={"range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == IMAGE[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", [f"{SIZE}-", "99999999-100000000", "-0"])
def test_a_range_beyond_the_end_is_416_with_the_size(served: Served, asked: str) -> None:
    answer = httpx.get(served.url, headers={"range": f"bytes={asked}"})
    assert code(answer) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["bytes=0-0,5-9", "bytes=9-1", "lines=0-1", "nonsense"])
def test_several_ranges_and_nonsense_give_the_whole(served: Served, asked: str) -> None:
    answer = httpx.get(served.url, headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, IMAGE)


def test_a_range_for_another_image_than_this_gives_the_whole(served: Served) -> None:
    etag = httpx.head(served.url).headers["etag"]
    for condition, status in ((etag, 206), ('"another"', 200), (f"W/{etag}", 200)):
        answer = httpx.get(served.url, headers={"range": "bytes=0-0", "if-range": condition})
        assert answer.status_code == status


def test_what_a_client_has_already_is_not_sent_again(served: Served) -> None:
    etag = httpx.get(served.url).headers["etag"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = httpx.get(served.url, headers={"if-none-match": condition, "range": "bytes=0-0"})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
        assert "max-age" in answer.headers["cache-control"]
    assert httpx.get(served.url, headers={"if-none-match": '"other"'}).content == IMAGE


def test_head_tells_the_same_and_sends_nothing(served: Served) -> None:
    head, whole = httpx.head(served.url), httpx.get(served.url)
    mine = {"date", "x-request-id"}
    assert head.status_code == 200
    assert {k: v for k, v in head.headers.items() if k not in mine} == {
        k: v for k, v in whole.headers.items() if k not in mine
    }
    ranged = httpx.head(served.url, headers={"range": "bytes=0-0"})
    assert (ranged.status_code, ranged.headers["content-length"]) == (200, str(SIZE))
    assert httpx.head(served.url[:-5]).status_code == 404


def test_a_download_is_resumed_where_it_stopped(served: Served) -> None:
    with httpx.stream("GET", served.url) as answer:
        begun = next(answer.iter_bytes(100_000))
        etag = answer.headers["etag"]
    rest = httpx.get(served.url, headers={"range": f"bytes={len(begun)}-", "if-range": etag})
    assert begun + rest.content == IMAGE


def test_many_readers_at_once_each_get_the_image(served: Served) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: httpx.get(served.url, timeout=60).content, range(48)))
    assert all(answer == IMAGE for answer in answers)


def test_urls_survive_a_restart(tmp_path: Path) -> None:
    with running(gateway(hosting(tmp_path))) as first:
        url = keep(first, IMAGE)
    with running(gateway(hosting(tmp_path))) as second:
        assert httpx.get(url.replace(first, second)).content == IMAGE


def test_replicas_that_share_key_and_folder_serve_each_other_s_images(tmp_path: Path) -> None:
    def settings(number: int) -> dict[str, str]:
        return {"store_url": f"file://{tmp_path}/shared", "signing_key": "the replicas' own key"}

    with (
        running(gateway(hosting(tmp_path / "one", **settings(1)))) as one,
        running(gateway(hosting(tmp_path / "two", **settings(2)))) as two,
    ):
        assert httpx.get(keep(one, IMAGE).replace(one, two)).content == IMAGE
        assert httpx.get(keep(two, IMAGE).replace(two, one)).content == IMAGE


def test_a_start_sweeps_what_ended_while_nobody_ran(tmp_path: Path) -> None:
    with running(gateway(hosting(tmp_path))) as base:
        url = keep(base, IMAGE)
    assert len(files_in(tmp_path)) == 2
    measured = Remembered()
    with running(gateway(hosting(tmp_path, clock=Clock(NOW + 7200), instruments=measured))) as again:
        assert measured.has_swept.wait(20)
        assert httpx.get(url.replace(base, again)).status_code == 410
    assert files_in(tmp_path) == [FILE_NAME]


def test_a_store_that_fails_is_503_and_told_when_to_try_again(tmp_path: Path) -> None:
    own = hosting(tmp_path)
    with running(gateway(own)) as base:
        url = keep(base, IMAGE)
        images = tmp_path / "images"
        images.rename(tmp_path / "aside")
        images.touch()  # neither there nor missing
        answer = httpx.get(url)
    assert code(answer) == (503, "image_store_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert str(tmp_path) not in answer.text


def test_an_image_that_goes_while_it_is_sent_is_cut_and_not_filled_up(served: Served) -> None:
    big = b"\x89PNG\r\n\x1a\n" + bytes(40_000_000)
    url = keep(served.base, big)

    def read() -> None:
        with httpx.stream("GET", url) as answer:
            pieces = answer.iter_raw(1000)
            next(pieces)
            for file in (served.folder / "images").rglob("*.png"):
                file.unlink()
            for _ in pieces:
                pass

    with pytest.raises(httpx.RemoteProtocolError):
        read()
    assert httpx.get(served.url).status_code == 404
