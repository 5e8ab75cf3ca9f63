"""Hosting: an image becomes a URL and the URL the image again, until it ends; failures say what and nothing more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.hosting import hosting as module
from app.hosting.hosting import HostingError, ImageExpiredError, ImageUnknownError
from app.hosting.location import HostingSetupError
from app.hosting.names import parsed
from app.hosting.signing import PREFIX, Signer
from providers.blobs import Base64Blob, MemoryBlob
from tests.unit.app.hosting.making import (
    BASE,
    IMAGE,
    NOW,
    PNG,
    Clock,
    Remembered,
    everything_in,
    files_in,
    hosting,
    parts_of,
)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


async def test_an_image_kept_is_had_again_by_its_url(tmp_path: Path) -> None:
    measured = Remembered()
    own = hosting(tmp_path, instruments=measured)
    url = await own.keep(IMAGE, "image/png", base_url=BASE)
    assert url.startswith(BASE + PREFIX)
    found = await own.open(*parts_of(url))
    assert (found.size, found.left_s, found.name.media_type) == (len(PNG), 3601, "image/png")
    assert b"".join([piece async for piece in own.read(found, 0, found.size)]) == PNG
    assert measured.kept == [len(PNG)]


async def test_a_url_ends_to_the_second_and_says_when(tmp_path: Path) -> None:
    clock = Clock()
    own = hosting(tmp_path, clock=clock, ttl_s=60)
    parts = parts_of(await own.keep(IMAGE, "image/png", base_url=BASE))
    clock.now = NOW + 60
    assert (await own.open(*parts)).left_s == 1
    clock.now = int(NOW) + 61
    with pytest.raises(ImageExpiredError) as ended:
        await own.open(*parts)
    assert ended.value.expired == int(NOW) + 61


async def test_a_url_cannot_be_widened_guessed_or_moved_to_another_image(tmp_path: Path) -> None:
    clock = Clock()
    own = hosting(tmp_path, clock=clock, ttl_s=60)
    signature, name = parts_of(await own.keep(IMAGE, "image/png", base_url=BASE))
    other_signature, other = parts_of(await own.keep(IMAGE, "image/png", base_url=BASE))
    later = name.replace(name[:10], str(int(name[:10]) + 3600))
    with pytest.raises(ImageUnknownError):
        await own.open(signature, later)
    with pytest.raises(ImageUnknownError):
        await own.open(signature, other)
    with pytest.raises(ImageUnknownError):
        await own.open(other_signature, name)
    with pytest.raises(ImageUnknownError):
        await own.open("", name)
    clock.now += 3600  # of an ended image a wrong signature does not even learn that it was one
    with pytest.raises(ImageUnknownError):
        await own.open(other_signature, name)


async def test_a_wrong_signature_is_never_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = hosting(tmp_path)
    _, name = parts_of(await own.keep(IMAGE, "image/png", base_url=BASE))

    async def looked_up(path: str) -> int:
        raise AssertionError(path)

    monkeypatch.setattr(own._store, "size", looked_up)
    with pytest.raises(ImageUnknownError):
        await own.open("A" * 43, name)


async def test_an_image_that_is_gone_before_its_time_is_unknown(tmp_path: Path) -> None:
    own = hosting(tmp_path)
    signature, name = parts_of(await own.keep(IMAGE, "image/png", base_url=BASE))
    for file in (tmp_path / "images").rglob("*.png"):
        file.unlink()
    with pytest.raises(ImageUnknownError):
        await own.open(signature, name)


async def test_urls_survive_a_restart_and_hold_at_every_replica_of_the_folder(tmp_path: Path) -> None:
    url = await hosting(tmp_path).keep(IMAGE, "image/png", base_url=BASE)
    again, beside = hosting(tmp_path), hosting(tmp_path)
    assert (await again.open(*parts_of(url))).size == len(PNG)
    other = await beside.keep(IMAGE, "image/png", base_url=BASE)
    assert (await again.open(*parts_of(other))).size == len(PNG)


async def test_a_replica_that_began_before_the_key_was_made_learns_it(tmp_path: Path) -> None:
    early, first = hosting(tmp_path), hosting(tmp_path)
    with pytest.raises(ImageUnknownError):
        await early.open("A" * 43, "anything")
    url = await first.keep(IMAGE, "image/png", base_url=BASE)
    assert (await early.open(*parts_of(url))).size == len(PNG)


def kept(folder: Path) -> list[Path]:
    """The images in it. Its folders may go while they are looked through."""
    try:
        return list(folder.rglob("*.png"))
    except FileNotFoundError:
        return kept(folder) if folder.exists() else []


async def test_only_who_is_to_sweep_does(tmp_path: Path) -> None:
    clock = Clock()
    own, beside = hosting(tmp_path, clock=clock, ttl_s=60), hosting(tmp_path, clock=clock, ttl_s=60)
    await own.keep(IMAGE, "image/png", base_url=BASE)
    clock.now += 3600
    await beside.start(sweep=False)
    await beside.stop()
    assert list((tmp_path / "images").rglob("*.png"))
    await own.start()
    async with asyncio.timeout(20):
        while kept(tmp_path / "images"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await own.stop()


async def test_a_given_key_signs_and_leaves_no_file(tmp_path: Path) -> None:
    own = hosting(tmp_path, signing_key="a key of the operator")
    signature, name = parts_of(await own.keep(IMAGE, "image/png", base_url=BASE))
    assert signature == Signer(b"a key of the operator").sign(name)
    assert not (tmp_path / "signing.key").exists()
    assert "a key of" not in repr(own) + repr(vars(own))
    with pytest.raises(ImageUnknownError):
        await hosting(tmp_path, signing_key="another key than that").open(signature, name)


@pytest.mark.parametrize(
    ("public_url", "begin"),
    [
        (None, BASE),
        ("https://images.example.com", "https://images.example.com"),
        ("https://example.com/gateway", "https://example.com/gateway"),
        ("https://example.com/gateway/v1", "https://example.com/gateway"),
    ],
)
async def test_urls_begin_with_what_callers_reach_the_gateway_by(
    tmp_path: Path, public_url: str | None, begin: str
) -> None:
    url = await hosting(tmp_path, public_url=public_url).keep(IMAGE, "image/png", base_url=BASE + "/")
    assert url.startswith(f"{begin}/v1/images/files/")
    assert parsed(url.rpartition("/")[2]) is not None


async def test_nothing_is_made_on_the_disk_before_an_image_is_kept(tmp_path: Path) -> None:
    own = hosting(tmp_path / "data")
    await own.start()
    with pytest.raises(ImageUnknownError):
        await own.open("A" * 43, "x")
    await own.stop()
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("media_type", ["image/svg+xml", "text/html", ""])
async def test_an_image_of_a_type_that_is_never_served_is_not_kept(tmp_path: Path, media_type: str) -> None:
    measured = Remembered()
    with pytest.raises(HostingError):
        await hosting(tmp_path, instruments=measured).keep(IMAGE, media_type, base_url=BASE)
    assert measured.not_kept == 1
    assert files_in(tmp_path) == []


async def test_damaged_bytes_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(HostingError):
        await hosting(tmp_path).keep(Base64Blob(b"!" * 40), "image/png", base_url=BASE)
    assert files_in(tmp_path) == ["signing.key"]


async def test_a_folder_that_cannot_be_written_is_told_at_the_start_and_at_each_image(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    own = hosting(tmp_path / "file" / "data", signing_key="a key of the operator")
    with capture_logs() as logged:
        await own.start()
        await own.stop()
        with pytest.raises(HostingError) as failed:
            await own.keep(IMAGE, "image/png", base_url=BASE)
    assert logged[0]["event"] == "images_by_url_unavailable"
    assert [line["event"] for line in logged].count("image_not_kept") == 1
    assert str(tmp_path) not in str(failed.value)


async def test_a_store_that_works_again_is_used_again(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    own = hosting(tmp_path / "data")
    with pytest.raises(HostingError):
        await own.keep(IMAGE, "image/png", base_url=BASE)
    (tmp_path / "data").unlink()
    assert (await own.open(*parts_of(await own.keep(IMAGE, "image/png", base_url=BASE)))).size == len(PNG)


async def test_a_store_that_hangs_is_given_up_and_the_next_image_is_not_kept_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = hosting(tmp_path)

    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as hanging:
        hanging.setattr(own._store, "put", hang)
        hanging.setattr(module, "KEEP_S", 0.05)
        results = await asyncio.gather(
            *(own.keep(IMAGE, "image/png", base_url=BASE) for _ in range(10)), return_exceptions=True
        )
        assert {type(result) for result in results} == {HostingError}
    await own.keep(IMAGE, "image/png", base_url=BASE)


async def test_no_more_images_are_in_memory_at_once_than_are_put_at_once(tmp_path: Path) -> None:
    held = most = 0
    own = hosting(tmp_path)
    put = own._store.put

    class Counted(MemoryBlob):
        def read(self) -> bytes:
            nonlocal held, most
            held += 1
            most = max(most, held)
            return super().read()

    async def counted(*args: object, **kwargs: object) -> None:
        nonlocal held
        await put(*args, **kwargs)  # type: ignore[arg-type]
        held -= 1

    own._store.put = counted  # type: ignore[method-assign]
    await asyncio.gather(*(own.keep(Counted(PNG), "image/png", base_url=BASE) for _ in range(20)))
    assert 1 <= most <= module.KEEPS


def test_a_folder_cannot_give_urls_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(HostingSetupError, match="GATEWAY_IMAGE_URLS=gateway"):
        hosting(tmp_path, urls="store")
    with pytest.raises(HostingSetupError):
        hosting(tmp_path, urls="store", store_url="file:///srv/images")


@pytest.mark.usefixtures("aws")
async def test_a_bucket_with_a_key_of_this_process_alone_is_warned_about(tmp_path: Path) -> None:
    shared = {"signing_key": "a key of the operator"}, {"urls": "store"}
    for given, warned in (({}, True), (shared[0], False), (shared[1], False)):
        own = hosting(tmp_path, store_url="s3://pictures", **given)
        with capture_logs() as logged:
            await own.start()
            await own.stop()
        assert ("signing_key_not_shared" in [line["event"] for line in logged]) is warned
