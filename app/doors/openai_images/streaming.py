"""Streaming: an order carried out while its caller watches, as the events of a stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

from app.doors.openai_images.answer import background_of, size_of, usage_of
from app.doors.openai_images.delivering import metadata_for, not_made
from app.doors.openai_images.errors import internal_error
from app.doors.openai_images.orders import Order
from app.doors.openai_images.sse import Event, Kind, completed_parts, partial_parts
from app.fan_out import AllMade, make_all
from app.fitting import Fitting
from app.gateway import Made, NotMadeError
from app.media.finish import finish
from app.media.sniff import measure
from app.media.verify import Delivered
from app.services import Services
from providers.spec.blob import Blob
from providers.spec.request import ImageRequest, OutputFormat

QUALITY = "auto"
"""These models have no levels of quality, and the clients' type of an event requires one of OpenAI's words."""

_LAST_SECONDS = 1.0
"""Longest a stream that is cut at the gateway's end waits for what the gateway did, which goes with its last image."""

_News = Made | Blob | None
"""A finished part, an interim image, or that all is over."""


def streams_at_once(own: Services, order: Order) -> bool:
    """Whether anybody can be asked. If not, the order fails before its stream begins, with a status of its own."""
    return any(own.gateway.planned(choice, timeout_s=order.timeout_s).candidates for choice in order.choices)


async def events_of(own: Services, order: Order, kind: Kind) -> AsyncGenerator[Event]:
    """Carry out the order: interim images where a vendor shows them, each image as soon as it is made, and with the
    last one what the gateway did. Raises ApiError when no image came of it. Closing it ends the work; cancelled at the
    gateway's own end, it ends with the image that it held back for the end, which is paid for."""
    news: asyncio.Queue[_News] = asyncio.Queue()
    work = asyncio.create_task(
        make_all(
            own.gateway,
            order.choices,
            Fitting(own.workers, own.spool_dir),
            timeout_s=order.timeout_s,
            on_interim=news.put_nowait,
            on_made=news.put_nowait,
            stopping=lambda: own.draining.cancelling,
        )
    )
    work.add_done_callback(lambda _: news.put_nowait(None))
    under_way = [work]
    del work
    asked = order.choices[0].request
    shown, most = 0, asked.partial_images * asked.n
    held: tuple[Delivered, Made] | None = None
    try:
        while (item := await news.get()) is not None:
            if isinstance(item, Made):
                # The last image waits for the end, whose metadata it carries.
                for image in item.images:
                    event = None if held is None else _completed(kind, *held)
                    held = (image, item)
                    if event is not None:
                        yield event
            elif shown < most and (partial := await own.workers.run(interim, item, asked)) is not None:
                yield _partial(kind, partial, asked, shown)
                shown += 1
        try:
            made = under_way[0].result()
        except NotMadeError as failed:
            raise not_made(failed, order) from failed
        if held is None:
            raise internal_error()
        event = _completed(kind, *held, made)
        # From here on the image lies nowhere but in its event, which lets go of it as the client reads.
        under_way.clear()
        held = None
        del made
        yield event
    except asyncio.CancelledError:
        if held is None or not own.draining.cancelling:
            raise
        (work,) = under_way
        work.cancel()
        await asyncio.wait({work}, timeout=_LAST_SECONDS)
        ended_well = work.done() and not work.cancelled() and work.exception() is None
        event = _completed(kind, *held, work.result() if ended_well else None)
        del work
        yield event
    finally:
        while under_way:
            work = under_way.pop()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            del work  # a failure leads to this frame, and the task to it: they would keep each other, and the images


def interim(blob: Blob, request: ImageRequest) -> Delivered | None:
    """An interim image in the caller's format; None when it is no image. Work for a worker thread."""
    try:
        data = blob.read()
        measured = measure(data)
        format = OutputFormat(measured.format.value)
        as_it_is = Delivered(blob, format, measured.width, measured.height, len(data))
        return finish(as_it_is, replace(request, exact_pixels=None, mask=None))
    except Exception:  # noqa: BLE001 - whatever it is, the images themselves are paid for and must not end with it
        return None


def _partial(kind: Kind, image: Delivered, asked: ImageRequest, index: int) -> Event:
    return partial_parts(
        kind,
        base64=image.blob.base64(),
        index=index,
        created=int(time.time()),
        size=size_of(image),
        quality=QUALITY,
        background=background_of(transparent=asked.transparent),
        output_format=image.format.value,
    )


def _completed(kind: Kind, image: Delivered, part: Made, everything: AllMade | None = None) -> Event:
    return completed_parts(
        kind,
        base64=image.blob.base64(),
        created=int(time.time()),
        size=size_of(image),
        quality=QUALITY,
        background=background_of(transparent=part.choice.request.transparent),
        output_format=image.format.value,
        usage=None if part.usage is None else usage_of(part.usage),
        metadata=None if everything is None else metadata_for(everything),
    )
