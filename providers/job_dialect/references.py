"""Input images on their way to the vendor: small ones stand in the request itself, the others are uploaded before it.

Nothing is bought until all of them have arrived. Each image is uploaded once in a conversation, and no link outlives
it: another conversation uploads its own. No bytes are touched here: an upload's body names the image, which the
transport reads while it sends it, so that a conversation holds one image in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType

from providers.job_dialect.asking import ask
from providers.job_dialect.failures import silent
from providers.job_dialect.reading import data_url, image_type
from providers.spec.blob import Blob
from providers.spec.conversation import AsBase64, HttpCall, Reply, Step, Unanswered
from providers.spec.errors import Spend

Upload = Callable[[Blob, str], Generator[Step, Reply | None, str]]
"""Uploads an image under a file name; its link. Raises ProviderError, with spend NONE."""

_ENDINGS: Mapping[str, str] = MappingProxyType({"image/jpeg": "jpg", "image/webp": "webp"})


def references(
    images: Sequence[Blob], room: int, upload: Upload
) -> Generator[Step, Reply | None, list[AsBase64 | str]]:
    """What stands for each image in a model's input, in order: a data URL or the link of an upload.

    ``room``: characters all data URLs of the request may have together. The smallest images come first, so that as few
    as possible are uploaded.
    """
    inline = _fitting(images, room)
    found: list[AsBase64 | str] = []
    for place, image in enumerate(images):
        found.append(data_url(image) if place in inline else (yield from upload(image, file_name(image, place + 1))))
    return found


def file_name(image: Blob, number: int) -> str:
    """What an upload is called: ours, for a caller's own file names are nobody else's business."""
    return f"image-{number}.{_ENDINGS.get(image_type(image), 'png')}"


def deliver(call: HttpCall, vendor: str) -> Generator[Step, Reply | None, Reply]:
    """Make a call of an upload; its reply, whatever the status. Raises ProviderError(UNREACHABLE) when none came: a
    file that may have arrived costs nothing."""
    try:
        return (yield from ask(call))
    except Unanswered as unanswered:
        raise silent(unanswered, vendor, spend=Spend.NONE) from unanswered


def _fitting(images: Sequence[Blob], room: int) -> frozenset[int]:
    chosen = set()
    for place in sorted(range(len(images)), key=lambda place: images[place].length):
        room -= _characters(data_url(images[place]))
        if room < 0:
            break
        chosen.add(place)
    return frozenset(chosen)


def _characters(url: AsBase64) -> int:
    return len(url.prefix) + (url.blob.length + 2) // 3 * 4
