"""Downloading a finished job's pictures. They are paid for, so each is tried more than once."""

from __future__ import annotations

from collections.abc import Generator

from providers.job_dialect.asking import ask, ok
from providers.job_dialect.failures import media_lost, unusable
from providers.spec.blob import Blob
from providers.spec.conversation import Abandoned, HttpCall, Pause, Reply, Step, Trust, Unanswered
from providers.spec.errors import ProviderError, Spend

DOWNLOAD_PAUSES_S = (0.5, 1.5)
"""Seconds before the second and the third try to download a picture that is paid for."""


def downloaded(
    pictures: tuple[Blob | str, ...], prompt: str, vendor: str
) -> Generator[Step, Reply | None, tuple[Blob, ...]]:
    """The pictures in order, those that are URLs fetched. Whoever leaves meanwhile is told that they are charged.

    One that cannot be had is left out: the others are paid for and wanted. Raises ProviderError, with spend CHARGED,
    when none can be had.
    """
    images: tuple[Blob, ...] = ()
    lost: ProviderError | None = None
    try:
        for picture in pictures:
            try:
                image = (yield from _download(picture, prompt, vendor)) if isinstance(picture, str) else picture
            except ProviderError as failed:
                lost = failed
                continue
            images = (*images, image)
    except Abandoned as abandoned:
        abandoned.spend = Spend.CHARGED
        raise
    if lost is not None and not images:
        raise lost
    return images


def _download(url: str, prompt: str, vendor: str) -> Generator[Step, Reply | None, Blob]:
    for pause in (0.0, *DOWNLOAD_PAUSES_S):
        if pause:
            yield Pause(pause)
        try:
            reply = yield from ask(HttpCall("GET", url, Trust.RESPONSE, wants_image=True))
        except Unanswered as unanswered:
            detail = unanswered.reason
            continue
        if ok(reply) and reply.blob is None:
            raise unusable(reply, prompt, vendor, spend=Spend.CHARGED)
        if reply.blob is not None:
            return reply.blob
        detail = f"HTTP {reply.status}"
    raise media_lost(detail, vendor)
