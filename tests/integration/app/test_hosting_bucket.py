"""Images by URL with a bucket behind: served by the gateway or, presigned, by the bucket itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from app.hosting.hosting import HostingError
from app.hosting.sweeper import GRACE_S
from tests.integration.app.bucket import Bucket
from tests.integration.app.hosting_app import gateway, keep
from tests.servers import running
from tests.unit.app.hosting.making import BASE, IMAGE, NOW, PNG, Clock, Remembered, files_in, hosting, parts_of

STORE = "s3://pictures/of/callers"
KEY = "the replicas' own key"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    own = Bucket()
    with running(own.app) as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "topsecret",
            "AWS_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield own


def test_the_gateway_serves_from_the_bucket_whole_and_in_part(bucket: Bucket, tmp_path: Path) -> None:
    with running(gateway(hosting(tmp_path, store_url=STORE, signing_key=KEY))) as base:
        url = keep(base, PNG)
        assert httpx.get(url).content == PNG
        part = httpx.get(url, headers={"range": "bytes=1000000-"})
        assert (part.status_code, part.content) == (206, PNG[1_000_000:])
        bucket.objects.clear()
        assert httpx.get(url).status_code == 404
    assert files_in(tmp_path) == []


def test_what_is_put_lies_below_the_prefix_with_its_type(bucket: Bucket, tmp_path: Path) -> None:
    with running(gateway(hosting(tmp_path, store_url=STORE, signing_key=KEY))) as base:
        _, name = parts_of(keep(base, PNG, "image/webp"))
    ((key, (data, headers)),) = bucket.objects.items()
    assert key == f"of/callers/images/1763708/{name}"
    assert data == PNG
    assert headers["content-type"] == "image/webp"
    assert headers["content-disposition"].startswith("inline; filename=")
    assert headers["cache-control"] == "public, max-age=3600, immutable"


async def test_a_presigned_url_leads_to_the_bucket_and_works_without_a_key(bucket: Bucket, tmp_path: Path) -> None:
    url = await hosting(tmp_path, store_url=STORE, urls="store").keep(IMAGE, "image/png", base_url=BASE)
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
        bare = await client.get(url.partition("?")[0])
    assert urlsplit(url).path.startswith("/pictures/of/callers/images/")
    assert "X-Amz-Expires=3600" in url
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert bare.status_code == 403
    assert files_in(tmp_path) == []


def test_the_bucket_is_swept_and_what_is_not_ours_stays(bucket: Bucket, tmp_path: Path) -> None:
    ended = NOW + 3601 + GRACE_S
    with running(gateway(hosting(tmp_path, store_url=STORE, signing_key=KEY))) as base:
        for _ in range(3):
            keep(base, b"image")
    with running(gateway(hosting(tmp_path, store_url=STORE, signing_key=KEY, clock=Clock(NOW + 60)))) as base:
        young = parts_of(keep(base, b"image"))[1]
    others = {"of/callers/notes.txt", "of/callers/images/1763708/notes.txt", "images/1763708/x.png"}
    bucket.objects |= dict.fromkeys(others, (b"", {}))
    measured = Remembered()
    own = hosting(tmp_path, store_url=STORE, signing_key=KEY, clock=Clock(ended), instruments=measured)
    with running(gateway(own)):
        assert measured.has_swept.wait(20)
    assert measured.swept == 3
    assert {key for key in bucket.objects if not key.endswith(young)} == others
    assert len(bucket.objects) == len(others) + 1


@pytest.mark.parametrize("status", [403, 404])
async def test_a_bucket_that_refuses_is_told_without_its_words(bucket: Bucket, tmp_path: Path, status: int) -> None:
    bucket.refusing = status
    own = hosting(tmp_path, store_url=STORE, signing_key=KEY)
    with capture_logs() as logged, pytest.raises(HostingError) as failed:
        await own.keep(IMAGE, "image/png", base_url=BASE)
    assert [line["event"] for line in logged] == ["image_not_kept"]
    for secret in ("topsecret", "AKIA", "pictures", "127.0.0.1"):
        assert secret not in str(logged) + str(failed.value)
