"""What the operator writes for the store: a folder, a bucket, or a sentence saying what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.hosting.location import HostingSetupError, Location, location_of


def test_unset_is_the_data_folder(tmp_path: Path) -> None:
    assert location_of(None, data_dir=tmp_path) == Location(folder=tmp_path)
    assert location_of(None, data_dir=Path("data")).folder == Path("data").absolute()


@pytest.mark.parametrize("url", ["file:///srv/images%20here", "file://localhost/srv/images%20here"])
def test_a_file_url_is_a_folder(url: str, tmp_path: Path) -> None:
    assert location_of(url, data_dir=tmp_path) == Location(folder=Path("/srv/images here"))


@pytest.mark.parametrize(
    "url",
    ["s3://bucket", "s3://bucket/some/prefix", "gs://bucket/p", "az://container/p", "abfss://container@account/p"],
)
def test_a_bucket_is_a_bucket(url: str, tmp_path: Path) -> None:
    assert location_of(url, data_dir=tmp_path) == Location(bucket=url)


@pytest.mark.parametrize(
    "url",
    [
        "images",
        "/srv/images",
        "file://srv/images",
        "file:srv",
        "file:///a%00b",
        "s3://",
        "ftp://host/images",
        "https://bucket.s3.amazonaws.com",
        "memory:///",
        "s3://AKIA:topsecret@bucket",
        "abfss://container:topsecret@account/p",
        "s3://bucket?region=topsecret",
        "s3://[bucket",
    ],
)
def test_anything_else_is_refused_without_being_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(HostingSetupError, match="GATEWAY_IMAGE_STORE") as refused:
        location_of(url, data_dir=tmp_path)
    assert "topsecret" not in str(refused.value)
