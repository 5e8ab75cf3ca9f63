"""The store over a real folder: whole or not at all, in pieces when read, and quiet about what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.hosting.location import HostingSetupError, Location
from app.hosting.store import CHUNK, WINDOW, ImageStore, NotStoredError, StoreError
from providers.workers import Workers
from tests.unit.app.hosting.making import everything_in, files_in

PATH = "images/1763705/one.png"
TOLD = {"media_type": "image/png", "disposition": "inline", "cache_control": "public"}


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    workers.close()


@pytest.fixture
def store(tmp_path: Path, workers: Workers) -> ImageStore:
    return ImageStore(Location(folder=tmp_path / "store"), workers=workers)


async def all_of(store: ImageStore, path: str, start: int, end: int) -> list[bytes]:
    return [piece async for piece in store.read(path, start, end)]


async def listed(store: ImageStore, folder: str) -> list[str]:
    return [path async for portion in store.listed(folder, 2) for path in portion]


async def test_a_folder_is_made_by_the_first_image_and_not_by_looking(store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(NotStoredError):
        await store.size(PATH)
    with pytest.raises(NotStoredError):
        await all_of(store, PATH, 0, 1)
    assert await store.folders() == []
    assert await listed(store, "images/1763705") == []
    assert await store.delete([PATH]) == 0
    await store.discard_leftovers("images/1763705", lambda _: True)
    assert everything_in(tmp_path) == []
    await store.put(PATH, b"image", **TOLD)
    assert files_in(tmp_path / "store") == [PATH]
    assert (tmp_path / "store" / "images").stat().st_mode & 0o777 == 0o700


async def test_what_was_put_is_read_back_in_pieces_and_in_part(store: ImageStore) -> None:
    image = bytes(range(251)) * 10_000
    await store.put(PATH, image, **TOLD)
    assert await store.size(PATH) == len(image)
    pieces = await all_of(store, PATH, 0, len(image))
    assert b"".join(pieces) == image
    assert max(map(len, pieces)) <= CHUNK
    start, end = WINDOW - 3, WINDOW + 5
    assert b"".join(await all_of(store, PATH, start, end)) == image[start:end]


async def test_an_image_deleted_while_it_is_read_ends_the_reading_with_an_error(store: ImageStore) -> None:
    await store.put(PATH, bytes(3 * WINDOW), **TOLD)
    pieces = store.read(PATH, 0, 3 * WINDOW)
    await anext(pieces)
    await store.delete([PATH])
    with pytest.raises(NotStoredError):
        [piece async for piece in pieces]


async def test_a_store_whose_folder_was_deleted_goes_on_with_the_next_image(store: ImageStore, tmp_path: Path) -> None:
    await store.put(PATH, b"image", **TOLD)
    (tmp_path / "store" / PATH).unlink()
    (tmp_path / "store" / "images" / "1763705").rmdir()
    (tmp_path / "store" / "images").rmdir()
    (tmp_path / "store").rmdir()
    assert await store.folders() == []
    await store.put(PATH, b"again", **TOLD)
    assert await store.size(PATH) == 5


async def test_a_place_that_is_no_folder_is_an_error_without_details(tmp_path: Path, workers: Workers) -> None:
    (tmp_path / "file").touch()
    store = ImageStore(Location(folder=tmp_path / "file" / "secret"), workers=workers)
    with pytest.raises(StoreError) as failed:
        await store.put(PATH, b"image", **TOLD)
    assert str(failed.value) == "NotADirectoryError"
    assert failed.value.__cause__ is None


@pytest.mark.parametrize("path", ["../outside", "images/../../outside", "images/a\x00b", "x" * 5000])
async def test_a_path_that_leads_elsewhere_finds_nothing_even_here(store: ImageStore, path: str) -> None:
    await store.put(PATH, b"image", **TOLD)
    with pytest.raises((StoreError, NotStoredError)):
        await store.size(path)


async def test_listing_names_folders_in_order_and_what_is_in_one(store: ImageStore) -> None:
    for name in ("images/3/e.png", "images/1/a.png", "images/1/b.png", "images/1/c.png", "other/d.png"):
        await store.put(name, b"image", **TOLD)
    assert await store.folders() == ["images/1", "images/3"]
    assert sorted(await listed(store, "images/1")) == ["images/1/a.png", "images/1/b.png", "images/1/c.png"]


async def test_deleting_passes_over_what_is_gone_and_takes_empty_folders_along(
    store: ImageStore, tmp_path: Path
) -> None:
    for name in ("images/1/a.png", "images/1/c.png", "images/2/d.png"):
        await store.put(name, b"image", **TOLD)
    assert await store.delete(["images/1/a.png", "images/1/b.png", "images/1/c.png"]) == 2
    assert [folder.name for folder in (tmp_path / "store" / "images").iterdir()] == ["2"]


async def test_what_cannot_be_deleted_keeps_nothing_else_and_is_told(store: ImageStore, tmp_path: Path) -> None:
    await store.put("images/1/z.png", b"image", **TOLD)
    (tmp_path / "store" / "images" / "1" / "a.png").mkdir()
    with pytest.raises(StoreError):
        await store.delete(["images/1/a.png", "images/1/z.png"])
    assert files_in(tmp_path / "store") == []


async def test_leftovers_of_a_killed_process_are_not_listed_and_are_discarded(
    store: ImageStore, tmp_path: Path
) -> None:
    place = tmp_path / "store" / "images" / "1"
    await store.put("images/1/a.png", b"image", **TOLD)
    for name in ("b.png#1", "c.png#2", "notes#old", "notes"):
        (place / name).touch()
    assert {path for path in await listed(store, "images/1") if "png" in path} == {"images/1/a.png"}
    await store.discard_leftovers("images/1", lambda path: path in {"images/1/a.png", "images/1/b.png"})
    assert sorted(file.name for file in place.iterdir()) == ["a.png", "c.png#2", "notes", "notes#old"]


async def test_a_folder_cannot_sign(store: ImageStore) -> None:
    with pytest.raises(StoreError):
        await store.sign(PATH, 60)


async def test_urls_of_buckets_are_signed_without_calling_anybody(
    monkeypatch: pytest.MonkeyPatch, workers: Workers
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    store = ImageStore(Location(bucket="s3://pictures/some/prefix"), workers=workers)
    assert store.folder is None
    url = await store.sign(PATH, 3600)
    assert url.startswith(f"https://s3.eu-west-1.amazonaws.com/pictures/some/prefix/{PATH}?")
    assert "X-Amz-Expires=3600" in url
    assert "topsecret" not in url
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "dG9wc2VjcmV0")
    url = await ImageStore(Location(bucket="az://pictures/some"), workers=workers).sign(PATH, 3600)
    assert url.startswith(f"https://account.blob.core.windows.net/pictures/some/{PATH}?")


def test_a_bucket_whose_environment_is_lacking_is_a_sentence(monkeypatch: pytest.MonkeyPatch, workers: Workers) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(HostingSetupError, match="environment"):
        ImageStore(Location(bucket="az://pictures/topsecret"), workers=workers)
