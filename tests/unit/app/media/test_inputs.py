"""All inputs of a request: references fetched, faults named by the caller's own parameter, limits held."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from app.media.inputs import InputError, InputLimits, Inputs, Prepared, Source
from providers.blobs import Base64Blob, MemoryBlob
from providers.fetching import Unfetchable
from providers.spec.blob import Blob
from providers.workers import Workers
from tests.unit.app.media.photographs import PLACE, bomb, exif, opened, saved, scene

PICTURE = saved(scene(), "PNG")
SECRET = "sig=canary-77aa"


def text_of(length: int) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "b" * length)
    return info


Fetch = Callable[[str], Awaitable[Blob]]


async def nothing(url: str) -> Blob:
    raise Unfetchable("the server answered 404")


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    pool = Workers()
    yield pool
    pool.close()


def mask(size: tuple[int, int] = (96, 64)) -> bytes:
    return saved(Image.new("RGBA", size), "PNG")


def given(content: bytes | str, param: str = "image") -> Source:
    return Source(param, MemoryBlob(content) if isinstance(content, bytes) else content)


async def refused(inputs: Inputs, *sources: Source, mask: Source | None = None) -> InputError:
    with pytest.raises(InputError) as raised:
        await inputs.prepared(sources, mask)
    assert raised.value.message.endswith(".")
    assert SECRET not in raised.value.message
    return raised.value


async def test_images_and_a_mask_come_out_ready_in_their_order(workers: Workers, tmp_path: Path) -> None:
    sources = [
        given(saved(scene(), "JPEG", exif=exif(6)), "image[]"),
        given(saved(scene(200, 100), "HEIC"), "image[]"),
        given(PICTURE, "image[]"),
    ]
    ready = await Inputs(workers, nothing, spool_dir=tmp_path).prepared(sources, given(mask((64, 96)), "mask"))
    pictures = [opened(blob.read()) for blob in ready.images]
    assert [(picture.format, picture.size) for picture in pictures] == [
        ("JPEG", (64, 96)),
        ("PNG", (200, 100)),
        ("PNG", (96, 64)),
    ]
    assert ready.size == (64, 96)
    assert ready.mask is not None
    assert opened(ready.mask.read()).size == (64, 96)
    assert ready.warnings == ()
    assert not any(PLACE in blob.read() for blob in ready.images)


@pytest.mark.parametrize("length", [0, 1, 2, 20_000])
async def test_bare_base64_is_taken_however_short_it_is(workers: Workers, length: int) -> None:
    """As ``b64_json`` has it. Long texts are blobs when they come here, short ones are not."""
    data = saved(scene(), "PNG", pnginfo=text_of(length))
    ready = await Inputs(workers, nothing).prepared([given(base64.b64encode(data).decode(), "images[0].b64_json")])
    assert opened(ready.images[0].read()).size == (96, 64)


@pytest.mark.parametrize(
    "text", ["fox", "A" * 31, "A" * 33, "A" * 40 + "=" * 3, "A" * 40 + "\n", "A" * 40 + "-_==", "é" * 40]
)
async def test_what_is_no_base64_is_told_what_would_be_right(workers: Workers, text: str) -> None:
    assert "neither a file nor a URL" in (await refused(Inputs(workers, nothing), given(text))).message


async def test_bare_base64_of_no_image_is_no_image(workers: Workers) -> None:
    assert "no image of a kind known here" in (await refused(Inputs(workers, nothing), given("A" * 40))).message


async def test_without_inputs_there_is_nothing_to_do(workers: Workers) -> None:
    assert await Inputs(workers, nothing).prepared([]) == Prepared((), None, None, ())


async def test_urls_are_fetched_and_data_urls_decoded_whatever_type_they_claim(workers: Workers) -> None:
    asked: list[str] = []

    async def fetch(url: str) -> Blob:
        asked.append(url)
        return MemoryBlob(PICTURE, "text/html")

    encoded = base64.b64encode(PICTURE).decode()
    sources = [
        given("https://a.test/1.png?x=1"),
        given(f"data:image/jpeg;base64,{encoded}"),
        given(f"DATA:;BASE64,{encoded}"),
        Source("images[3].image_url", Base64Blob(encoded.encode(), "image/heic")),
    ]
    ready = await Inputs(workers, fetch).prepared(sources)
    assert asked == ["https://a.test/1.png?x=1"]
    assert [(blob.read(), blob.media_type) for blob in ready.images] == [(PICTURE, "image/png")] * 4


async def test_at_most_four_are_fetched_at_once_and_the_order_stays(workers: Workers) -> None:
    running: list[str] = []
    most = 0
    full = asyncio.Event()

    async def fetch(url: str) -> Blob:
        nonlocal most
        running.append(url)
        most = max(most, len(running))
        if most == 4:
            full.set()
        await full.wait()
        await asyncio.sleep(0)
        running.remove(url)
        return MemoryBlob(saved(scene(int(url[-2:]), 20), "PNG"))

    ready = await Inputs(workers, fetch).prepared([given(f"https://a.test/{30 + i}") for i in range(10)])
    assert [opened(blob.read()).width for blob in ready.images] == list(range(30, 40))
    assert most == 4


async def test_one_that_cannot_be_had_ends_the_fetching_of_the_others(workers: Workers) -> None:
    ended: list[str] = []

    async def fetch(url: str) -> Blob:
        if "bad" in url:
            raise Unfetchable("the server answered 403")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(url)
        raise AssertionError

    wrong = await refused(
        Inputs(workers, fetch),
        given("https://a.test/1"),
        given(f"https://bad.test/secret/path?{SECRET}", "images[1].image_url"),
    )
    assert ended == ["https://a.test/1"]
    assert wrong.param == "images[1].image_url"
    assert wrong.message == "Input image 2 cannot be fetched from bad.test: the server answered 403."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<svg/>", "Input image 1 cannot be used: it is an SVG"),
        (bomb(), "50000 x 50000"),
        (PICTURE[:-30], "ends before"),
        (PICTURE + b"<html>", "behind the end"),
        (b"", "empty"),
        (f"data:image/png,{SECRET}", "not base64"),
        ("data:image/png;base64,%%%", "base64 text is damaged"),
        ("data:image/png;base64,", "empty"),
        ("data:image/png;base64", "not base64"),
        ("data:text/html;base64," + base64.b64encode(b"<html>").decode(), "no image"),
        ("file-abc123", "neither a file nor a URL"),
        ("/etc/passwd", "neither a file nor a URL"),
        ("", "neither a file nor a URL"),
        (f"https://[broken?{SECRET}", "cannot be fetched from the URL"),
    ],
    ids=range(14),
)
async def test_what_cannot_be_used_is_told_with_the_parameter(
    workers: Workers, content: bytes | str, said: str
) -> None:
    wrong = await refused(Inputs(workers, nothing), given(content, "image[0]"))
    assert wrong.param == "image[0]"
    assert said in wrong.message
    assert wrong.code == "invalid_value"


async def test_a_mask_is_checked_against_the_first_image(workers: Workers) -> None:
    inputs = Inputs(workers, nothing)
    first = given(saved(scene(), "JPEG", exif=exif(6)))
    wrong = await refused(inputs, first, given(PICTURE), mask=given(mask(), "mask[image_url]"))
    assert wrong.param == "mask[image_url]"
    assert wrong.message.startswith("The mask cannot be used: it has 96x64 pixels and the first image 64x96")
    assert "without an image" in (await refused(inputs, mask=given(mask(), "mask"))).message
    assert "cannot be fetched" in (await refused(inputs, first, mask=given("https://a.test/m", "mask"))).message


async def test_limits_are_held_and_named(workers: Workers) -> None:
    inputs = Inputs(workers, nothing, limits=InputLimits(images=3, image_bytes=len(PICTURE), total_bytes=1_000))
    many = await refused(inputs, *[given(PICTURE, f"image[{i}]") for i in range(4)])
    assert (many.param, many.message) == ("image[3]", "4 input images were given; at most 3 are taken.")
    large = await refused(inputs, given(PICTURE), given(PICTURE + b"!", "image[1]"))
    assert large.param == "image[1]"
    assert f"at most {len(PICTURE):,} are taken" in large.message
    inputs = Inputs(workers, nothing, limits=InputLimits(total_bytes=len(PICTURE) * 2 + 1))
    await inputs.prepared([given(PICTURE)] * 2)
    assert "in all" in (await refused(inputs, *[given(PICTURE)] * 3)).message
    assert "in all" in (await refused(inputs, *[given(PICTURE)] * 2, mask=given(mask()))).message


async def test_an_animated_input_is_used_by_its_first_frame_with_a_warning(workers: Workers) -> None:
    frames = [scene(), scene().transpose(Image.Transpose.ROTATE_180)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    (warning,) = (await Inputs(workers, nothing).prepared([given(PICTURE), given(data, "image[]")])).warnings
    assert warning.parameter == "image[]"
    assert warning.message == "Input image 2 is animated; only its first frame is used."


def test_what_a_caller_gave_is_not_in_a_repr() -> None:
    assert SECRET not in repr(given(f"https://a.test/?{SECRET}"))
