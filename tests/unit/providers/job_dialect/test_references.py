"""Which input images stand in the request, which are uploaded, and under which name."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest

from providers.job_dialect.references import deliver, file_name, references
from providers.spec.blob import Blob
from providers.spec.conversation import AsBase64, HttpCall, Reply, Step, Unanswered
from providers.spec.errors import Fault, ProviderError, Spend
from tests.contract.driving import Picture

PREFIX = len("data:image/png;base64,")


def pictures(*sizes: int) -> list[Picture]:
    return [Picture(b"x" * size) for size in sizes]


def handed_over(images: Sequence[Blob], room: int) -> list[str]:
    """For each image its size when it is inline, else the name it was uploaded under."""

    def upload(image: Blob, name: str) -> Generator[Step, Reply | None, str]:
        yield HttpCall("PUT", f"/{name}")
        return name

    going = references(images, room, upload)
    uploads: list[str] = []
    try:
        step = next(going)
        while True:
            assert isinstance(step, HttpCall)
            uploads.append(step.url.removeprefix("/"))
            step = going.send(Reply(200, {}))
    except StopIteration as end:
        found = [str(each.blob.length) if isinstance(each, AsBase64) else each for each in end.value]
    assert [each for each in found if not each.isdigit()] == uploads, "each is uploaded once, in order"
    return found


def test_what_fits_together_stands_in_the_request() -> None:
    assert handed_over(pictures(30, 60), 2 * PREFIX + 40 + 80) == ["30", "60"]
    assert handed_over(pictures(30, 60), 2 * PREFIX + 40 + 79) == ["30", "image-2.png"]


def test_padding_counts() -> None:
    assert handed_over(pictures(31), PREFIX + 44) == ["31"]
    assert handed_over(pictures(31), PREFIX + 43) == ["image-1.png"]


def test_the_smallest_come_first_and_the_order_stays() -> None:
    assert handed_over(pictures(900, 30, 600, 30), 300) == ["image-1.png", "30", "image-3.png", "30"]


def test_nothing_is_taken_after_the_first_that_does_not_fit() -> None:
    assert handed_over(pictures(300, 300, 300), 2 * (PREFIX + 400)) == ["300", "300", "image-3.png"]


def test_no_images_are_no_calls() -> None:
    assert handed_over([], 100) == []


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("image/png", "image-3.png"),
        ("image/jpeg", "image-3.jpg"),
        ("image/webp", "image-3.webp"),
        ("image/x-odd", "image-3.png"),
        ('text/html"; x', "image-3.png"),
    ],
)
def test_a_file_name_is_the_gateways_own(media_type: str, name: str) -> None:
    assert file_name(Picture(b"x", media_type), 3) == name


def test_an_upload_without_an_answer_costs_nothing_however_far_it_came() -> None:
    going = deliver(HttpCall("PUT", "/x"), "Example")
    next(going)
    with pytest.raises(ProviderError) as caught:
        going.throw(Unanswered("the connection broke", sent=True))
    assert (caught.value.fault, caught.value.spend) == (Fault.UNREACHABLE, Spend.NONE)
